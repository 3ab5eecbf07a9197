import { asFailure, DeskbusError, type ErrorName } from '../node/error';

/** What a promise of this API rejects with: a plain object, for only that crosses as it is. */
export function failure(name: ErrorName, message?: string): Error {
  return asFailure(DeskbusError.of(name, message));
}

export function isFailure(thrown: unknown, name: ErrorName): boolean {
  const { code } = (thrown ?? {}) as { code?: unknown };
  return code === DeskbusError.of(name).code;
}
