import type { ChoiceDialog } from '../generated/protocol';

// The IPC of a choice dialog. Its preload and main import these same names.
export const ChoiceChannel = {
  /** Answered with the descriptor. */
  descriptor: 'deskbus-choice:descriptor',
  /** The dialog is drawn: the height that it needs. */
  drawn: 'deskbus-choice:drawn',
  /** The `id` of the person's choice, or null for none; and whether to `remember` it. */
  choose: 'deskbus-choice:choose',
} as const;

/** The object that the dialog's page sees as `choice`. */
export interface ChoiceBridge {
  descriptor(): Promise<ChoiceDialog>;
  drawn(height: number): void;
  choose(id: string | null, remember: boolean): void;
}
