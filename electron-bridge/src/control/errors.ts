import { CallError } from './backend/api';
import { ERRORS } from '../generated/protocol';
import { language, text } from '../renderer/language';

/** An error as a person is told it. */
export function words(error: unknown): string {
  const [message, action] = parts(error);
  return `${message} ${action}`.trim();
}

/**
 * The failure, and the remedy. The backend's own words are English; in other languages stand those of
 * the table of errors, and before the backend's where those say more.
 */
export function parts(error: unknown): [message: string, action: string] {
  if (!(error instanceof CallError)) {
    return [error instanceof Error ? error.message : String(error), ''];
  }
  const { message, action } = error;
  const row = Object.entries(ERRORS).find(([, each]) => each.code === error.code);
  if (language.code === 'en' || !row) return [message, action];
  const [name, { message: usual, data }] = row;
  const own = text(`page.control.error.${name}`);
  const told =
    message === usual ? own : text('page.control.error.exactly', { words: own, detail: message });
  return [told, action === data.action ? text(`page.control.error.${name}.action`) : action];
}
