import type { CONTROL_METHODS, Methods } from '../../generated/protocol';
import type { ErrorObject } from '../../common/error';
import type { Transport } from './transport';

export type ControlMethod = (typeof CONTROL_METHODS)[number];
type Parameters<Name extends ControlMethod> = Omit<Methods[Name]['params'], '_meta'>;
export type Outcome<Name extends ControlMethod> = Methods[Name]['result'];

/** A refusal or a failure, in the backend's words. */
export class CallError extends Error {
  readonly code: number;
  readonly action: string;
  readonly category: string;

  constructor(error: ErrorObject) {
    super(error.message);
    this.code = error.code;
    this.action = error.data?.action ?? '';
    this.category = error.data?.category ?? 'internal';
  }
}

/** The backend's methods, as the pages call them. */
export class Api {
  constructor(private readonly transport: Transport) {}

  /** Rejects with `CallError`. */
  async call<Name extends ControlMethod>(
    method: Name,
    params: Parameters<Name>,
  ): Promise<Outcome<Name>> {
    const answer = await this.transport.call(method, params);
    if ('error' in answer) throw new CallError(answer.error);
    return answer.result as Outcome<Name>;
  }
}
