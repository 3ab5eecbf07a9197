import { readdirSync, readFileSync } from 'fs';
import { join } from 'path';
import { Language, type TextCatalogue } from '../common/language/language';

const FOLDER = join(__dirname, '..', 'languages');
const FALLBACK = 'en';

const known = new Map<string, Language>();
let current: Language | undefined;

/** The language for a locale such as `de-AT` (RFC 4647's lookup), English where there is no better. */
export function languageFor(locale: string): Language {
  const codes = readdirSync(FOLDER).map((name) => name.replace(/\.json$/, ''));
  for (let wanted = locale.replace(/_/g, '-'); wanted !== ''; wanted = shorter(wanted)) {
    const found = codes.find((code) => code.toLowerCase() === wanted.toLowerCase());
    if (found !== undefined) return read(found);
  }
  return read(FALLBACK);
}

/** The bridge's own windows are in the language of this locale from now on. */
export function speak(locale: string): void {
  current = languageFor(locale);
}

/** The language of the bridge's own windows. */
export function spoken(): Language {
  return (current ??= read(FALLBACK));
}

function shorter(locale: string): string {
  return locale.slice(0, Math.max(0, locale.lastIndexOf('-')));
}

function read(code: string): Language {
  let language = known.get(code);
  if (!language) {
    const file = readFileSync(join(FOLDER, `${code}.json`), 'utf8');
    language = new Language(JSON.parse(file) as TextCatalogue);
    known.set(code, language);
  }
  return language;
}
