import { DeskbusError } from '../common/error';
import { checkJson } from '../common/json';

/** Parameters as a page wrote them: `text` goes into a frame as it is. */
export interface PageParams {
  readonly text: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/**
 * The one place where text of a page is looked at before it becomes part of a frame. It is a whole
 * JSON object without a newline, so it ends neither the frame nor the place that it has in it, and
 * the frame is one that the backend answers.
 *
 * Throws `DeskbusError` (invalid_params) for anything else.
 */
export function readPageParams(text: string): PageParams {
  const value = parsed(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid();
  checkJson(text);
  return { text, value: value as PageParams['value'] };
}

/** Text of which nothing goes into a frame. Throws `DeskbusError` (invalid_params). */
export function parsed(text: string): unknown {
  if (text.includes('\n')) throw invalid();
  try {
    return JSON.parse(text);
  } catch {
    throw invalid();
  }
}

function invalid(): DeskbusError {
  return DeskbusError.of('invalid_params', 'The page did not write one JSON value on one line.');
}
