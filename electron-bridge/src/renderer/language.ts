import { Language, type TextCatalogue } from '../common/language/language';

/** The language of this page; the build puts its texts into the page itself. */
export const language = new Language(
  JSON.parse(document.getElementById('texts')?.textContent ?? '') as TextCatalogue,
);

export const text = language.text.bind(language);
export const textOr = language.textOr.bind(language);
