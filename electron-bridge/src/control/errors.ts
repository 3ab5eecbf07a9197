import { CallError } from './backend/api';

/** An error as a person is told it. */
export function words(error: unknown): string {
  if (error instanceof CallError) return `${error.message} ${error.action}`.trim();
  return error instanceof Error ? error.message : String(error);
}
