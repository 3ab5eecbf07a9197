import type { AppStatus, Crash, Phrase } from '../generated/protocol';
import { language, textOr } from '../renderer/language';

/** Of English, `detail` has more figures than its phrases have; other languages have those alone. */
export function said(detail = '', phrases: readonly Phrase[] = []): string {
  if (language.code === 'en' || phrases.length === 0) return detail;
  return phrases
    .map(({ key, values }) => textOr(`page.control.health.${key}`, detail, values))
    .join('; ');
}

export function crashWords({ detail, cause, limit: over }: Crash): string {
  return said(detail, [{ key: 'crash', values: { cause, limit: over ?? 'none' } }]);
}

/** The trouble of an app that runs; empty for none. */
export function troubleOf({ detail, state }: AppStatus): string {
  return detail === undefined ? '' : said(detail, [{ key: 'app', values: { state } }]);
}
