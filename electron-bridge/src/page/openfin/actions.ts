import { wholeJson } from '../../common/json';
import { failure } from '../failure';
import type { Identity } from './identity';

export type Action = (payload: unknown, identity: Identity) => unknown;
export type AnyAction = (action: string, payload: unknown, identity: Identity) => unknown;
export type OnError = (action: string, error: Error, identity: Identity) => unknown;

/** The actions that one end of a channel offers the other. */
export class Actions {
  private readonly known = new Map<string, Action>();
  private otherwise: AnyAction | undefined;
  private before: AnyAction | undefined;
  private after: AnyAction | undefined;
  private failed: OnError | undefined;

  constructor(private readonly channel: string) {}

  /** Throws where the action has a listener. */
  register(action: string, listener: Action): boolean {
    if (this.known.has(action)) {
      throw new Error(`The action ${action} has a listener already.`);
    }
    this.known.set(action, listener);
    return true;
  }

  remove(action: string): boolean {
    return this.known.delete(action);
  }

  setDefaultAction(listener: AnyAction): void {
    this.otherwise = listener;
  }

  beforeAction(listener: AnyAction): void {
    this.before = listener;
  }

  afterAction(listener: AnyAction): void {
    this.after = listener;
  }

  onError(listener: OnError): void {
    this.failed = listener;
  }

  /** The answer to one call; what listeners that return nothing got is passed on as it was. */
  async run(action: string, payload: unknown, identity: Identity): Promise<unknown> {
    try {
      const given = said(await this.before?.(action, payload, identity)) ?? payload;
      const result = said(await this.perform(action, given, identity));
      return said(await this.after?.(action, result, identity)) ?? result;
    } catch (error) {
      const told = error instanceof Error ? error : new Error(String(error));
      const answer = await this.failed?.(action, told, identity);
      if (answer === undefined) throw error;
      return answer;
    }
  }

  private perform(action: string, payload: unknown, identity: Identity): unknown {
    const listener = this.known.get(action);
    if (listener) return listener(payload, identity);
    if (this.otherwise) return this.otherwise(action, payload, identity);
    throw failure('not_found', `The channel ${this.channel} has no action ${action} here.`);
  }
}

/** Throws a `DeskbusError` (invalid_params) for what can't be sent, before anybody gets it. */
function said(value: unknown): unknown {
  if (value !== undefined) wholeJson(value);
  return value;
}
