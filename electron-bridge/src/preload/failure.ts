import { ERRORS, type RefusedParams } from '../generated/protocol';
import { asFailure, DeskbusError, type ErrorName } from '../common/error';

/** The reason of a rejected promise: a plain object, for only that crosses as it is. */
export function failure(name: ErrorName, message?: string): Error {
  return asFailure(DeskbusError.of(name, message));
}

/** A refusal as a failure, with all that the table of errors has on its code. */
export function refusalOf(refusal: Omit<RefusedParams, '_meta'>): object {
  const row = Object.values(ERRORS).find(({ code }) => code === refusal.code);
  return { name: 'DeskbusError', ...(row ?? ERRORS.internal_error).data, ...refusal };
}

export function isFailure(thrown: unknown, name: ErrorName): boolean {
  const { code } = (thrown ?? {}) as { code?: unknown };
  return code === DeskbusError.of(name).code;
}
