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
}
