import { ERRORS } from '../generated/protocol';
import { DeskbusError } from '../common/error';
import type { Refusal, Refused } from './api';

/** A refusal as an error, with all that the table of errors has on its code. */
export function refusalOf(refusal: Refused): Refusal {
  const { code, message, action } = refusal;
  const row = Object.values(ERRORS).find((known) => known.code === code) ?? ERRORS.internal_error;
  const error = new DeskbusError({ code, message, data: { ...row.data, action } });
  return Object.assign(error, refusal) as Refusal;
}
