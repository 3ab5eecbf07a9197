import type { Answer } from '../../ipc/control-channels';

/**
 * The page's one way out. Electron's preload script injects one that leads through the main process, a
 * browser's script one that leads through the gateway; the page knows no more of either.
 */
export interface Transport {
  /** Calls a method of the backend; never rejects. */
  call(method: string, params: unknown): Promise<Answer>;
  /** Tells which page to show, as `name` or `name/what`. */
  onShow(listener: (page: string) => void): void;
  /** Tells whether the backend is there. */
  onConnected(listener: (connected: boolean) => void): void;
  /** The page can draw. */
  ready(): void;
  close(): void;
  /** Keeps the page that is shown, as `name` or `name/what`, for one that is loaded anew. */
  shown?(page: string): void;
  /** The browser that shows the page; absent where whoever has the page may act. */
  readonly operator?: Operator;
}

/** A browser looks by one code, and acts by another. */
export interface Operator {
  /** Its name, which a person gives to have a code made for it. */
  readonly browser: string;
  /** Shows the code by which it may act; the result is for how many milliseconds. */
  stepUp(code: string): Promise<Answer>;
  /** Tells that the browser is not let in, or not any more. */
  onShutOut(listener: () => void): void;
}
