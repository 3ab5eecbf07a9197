import type { DialogAnswer, PermissionDialog } from '../generated/protocol';

// The IPC of a consent dialog. Its preload and main import these same names.
export const DialogChannel = {
  /** Answered with the descriptor. */
  descriptor: 'deskbus-dialog:descriptor',
  /** The dialog is drawn: the height that it needs. */
  drawn: 'deskbus-dialog:drawn',
  /** To the dialog: its window is in view. */
  inView: 'deskbus-dialog:in-view',
  /** The dialog was painted in view; answered when that is noted. */
  painted: 'deskbus-dialog:painted',
  /** To the dialog: its window changed, so the time before Allow counts begins anew. */
  changed: 'deskbus-dialog:changed',
  /** The person's choice, and its duration. */
  answer: 'deskbus-dialog:answer',
} as const;

export type Choice = 'allow' | 'deny';
export type Remember = DialogAnswer['remember'] & string;

/** The object that the dialog's page sees as `window.consent`. */
export interface ConsentBridge {
  descriptor(): Promise<PermissionDialog>;
  /** Resolves when the window is in view. */
  drawn(height: number): Promise<void>;
  painted(): Promise<void>;
  answer(choice: Choice, remember: Remember): void;
  onChanged(listener: () => void): void;
}
