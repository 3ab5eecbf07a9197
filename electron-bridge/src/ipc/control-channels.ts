// The IPC of the control centre. Its preload and main import these same names.
import type { ErrorObject } from '../common/error';

export const ControlChannel = {
  /** The page can draw. */
  ready: 'deskbus-control:ready',
  /** To the page: the page to show, as `name` or `name/what`. */
  show: 'deskbus-control:show',
  /** To the page: whether the backend is there. */
  connected: 'deskbus-control:connected',
  /** A call of one of `CONTROL_METHODS`; answered with an `Answer`. */
  call: 'deskbus-control:call',
  close: 'deskbus-control:close',
} as const;

/** The outcome of a call; an error as the backend words it. */
export type Answer = { result: unknown } | { error: ErrorObject };

export interface Question {
  method: string;
  params: unknown;
}
