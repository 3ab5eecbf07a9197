/** Messages of a client on its channel's provider topic. */
export type ClientWord =
  | { kind: 'connect'; id: string; payload?: unknown }
  | { kind: 'dispatch'; id: string; action: string; payload?: unknown }
  | { kind: 'bye'; id: string };

/** Messages of a provider on a client's topic. */
export type ProviderWord =
  { kind: 'dispatch'; action: string; payload?: unknown } | { kind: 'close' };

/** The answer to a `dispatch`; `unknown` where its sender is not connected. */
export type Answer = { result?: unknown } | { unknown: true };

/** A word as it came from somewhere, if it has the look of one. */
export function readWord(payload: unknown): Partial<Record<string, unknown>> {
  return typeof payload === 'object' && payload !== null ? { ...payload } : {};
}
