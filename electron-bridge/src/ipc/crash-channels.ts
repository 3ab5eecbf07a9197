import type { CrashPage } from '../generated/protocol';

// The IPC of a crash page. Its preload and main import these same names.
export const CrashChannel = {
  /** The page can draw. */
  ready: 'deskbus-crash:ready',
  /** To the page: a descriptor. */
  draw: 'deskbus-crash:draw',
  /** To the page: it has not come back, in words. */
  failed: 'deskbus-crash:failed',
  restart: 'deskbus-crash:restart',
  close: 'deskbus-crash:close',
} as const;

/** The object that a crash page sees as `crash`. */
export interface CrashBridge {
  onDraw(listener: (page: CrashPage) => void): void;
  onFailed(listener: (message: string) => void): void;
  ready(): void;
  restart(): void;
  close(): void;
}
