import type { Notice } from '../generated/protocol';

// The IPC of a notice. Its preload and main import these same names.
export const NoticeChannel = {
  /** Answered with the descriptor. */
  descriptor: 'deskbus-notice:descriptor',
  /** The notice is drawn: the height that it needs, again where that has changed. */
  drawn: 'deskbus-notice:drawn',
  dismiss: 'deskbus-notice:dismiss',
  /** Does what the notice offers, with a password or none. Answered with what went wrong, if so. */
  accept: 'deskbus-notice:accept',
} as const;

/** The object that the notice's page sees as `notice`. */
export interface NoticeBridge {
  descriptor(): Promise<Notice>;
  drawn(height: number): void;
  dismiss(): void;
  accept(password: string | undefined): Promise<string | undefined>;
}
