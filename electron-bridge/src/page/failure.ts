import { DeskbusError, type ErrorName } from '../common/error';

export function failure(name: ErrorName, message?: string): DeskbusError {
  return DeskbusError.of(name, message);
}
