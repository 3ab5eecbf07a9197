/** The carrier of a link: a pipe's socket, or a channel of a WebSocket. */
export interface Line {
  readonly destroyed: boolean;
  destroy(): void;
  /** Stops reading until `resume`. */
  pause(): void;
  resume(): void;
  /** Closes after what was written. */
  end(): void;
  once(event: 'close', listener: () => void): void;
}

/** The half of a line that a link writes to. */
export interface LineOutput {
  readonly writableLength: number;
  write(text: string | Uint8Array): void;
  destroy(): void;
  on(event: 'error' | 'close' | 'drain', listener: () => void): void;
  removeListener(event: 'close' | 'drain', listener: () => void): void;
}
