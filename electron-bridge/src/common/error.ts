import { ERRORS } from '../generated/protocol';

export type ErrorName = keyof typeof ERRORS;
export type ErrorCategory = (typeof ERRORS)[ErrorName]['data']['category'];

/** The `error` member of a response. */
export interface ErrorObject {
  code: number;
  message: string;
  data?: { category: string; retryable: boolean; action: string; correlationId?: string };
}

/** An error as a plain object, for what would lose an Error's members on the way. */
export interface Failure {
  name: 'DeskbusError';
  code: number;
  message: string;
  category: string;
  retryable: boolean;
  action: string;
  correlationId?: string;
}

/** The error with which every refused or failed call rejects. `action` says what to do about it. */
export class DeskbusError extends Error {
  override readonly name = 'DeskbusError';
  readonly code: number;
  readonly category: string;
  readonly retryable: boolean;
  readonly action: string;
  readonly correlationId: string | undefined;

  constructor(error: ErrorObject) {
    super(error.message);
    // A log of an error, or its JSON, then has its message too.
    Object.defineProperty(this, 'message', { enumerable: true });
    this.code = error.code;
    this.category = error.data?.category ?? 'internal';
    this.retryable = error.data?.retryable ?? false;
    this.action = error.data?.action ?? '';
    this.correlationId = error.data?.correlationId;
  }

  /** One row of the error table, with what is given in place of the row's own. */
  static of(
    name: ErrorName,
    message?: string,
    told?: { action: string; retryable?: boolean },
  ): DeskbusError {
    const { code, message: usual, data } = ERRORS[name];
    return new DeskbusError({ code, message: message ?? usual, data: { ...data, ...told } });
  }

  /** Takes an `error` member that a peer sent, whatever is in it. */
  static from(value: unknown): DeskbusError {
    if (typeof value !== 'object' || value === null) return DeskbusError.of('internal_error');
    const { code, message, data } = value as Partial<Record<keyof ErrorObject, unknown>>;
    if (typeof code !== 'number' || typeof message !== 'string') {
      return DeskbusError.of('internal_error');
    }
    const known = typeof data === 'object' && data !== null ? (data as ErrorObject['data']) : null;
    return new DeskbusError(known ? { code, message, data: known } : { code, message });
  }

  static fromFailure({ code, message, name: _name, ...data }: Failure): DeskbusError {
    return new DeskbusError({ code, message, data });
  }

  toObject(): ErrorObject {
    return {
      code: this.code,
      message: this.message,
      data: {
        category: this.category,
        retryable: this.retryable,
        action: this.action,
        ...(this.correlationId === undefined ? {} : { correlationId: this.correlationId }),
      },
    };
  }
}

/**
 * Whether a thrown value is a DeskbusError, of this bundle or of another: a program may load two of
 * them, and a page and its preload script each have a class of their own.
 */
function isDeskbusError(thrown: unknown): thrown is Failure {
  if (typeof thrown !== 'object' || thrown === null) return false;
  const { name, code, message } = thrown as Partial<Record<keyof Failure, unknown>>;
  return name === 'DeskbusError' && typeof code === 'number' && typeof message === 'string';
}

/** Any thrown value as an error that may cross the wire: an unknown one tells nothing. */
export function asDeskbusError(thrown: unknown): DeskbusError {
  if (thrown instanceof DeskbusError) return thrown;
  return isDeskbusError(thrown)
    ? DeskbusError.fromFailure(asFailure(thrown))
    : DeskbusError.of('internal_error');
}

/** Whether a thrown value is the error of this row of the table. */
export function isError(thrown: unknown, name: ErrorName): boolean {
  return isDeskbusError(thrown) && thrown.code === ERRORS[name].code;
}

/** Whether a call was not answered because its connection ended. */
export function isLoss(thrown: unknown): boolean {
  return isError(thrown, 'connection_lost');
}

export function asFailure(error: DeskbusError | Failure): Failure {
  const { code, message, category, retryable, action, correlationId } = error;
  const known = { name: 'DeskbusError' as const, code, message, category, retryable, action };
  return correlationId === undefined ? known : { ...known, correlationId };
}
