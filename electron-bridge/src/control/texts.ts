import english from './texts/en.json';

export type TextKey = keyof typeof english;
type Values = Record<string, string | number>;

const texts: Record<string, string> = english;
const PLURAL = /\{(\w+), plural, one \{([^}]*)\} other \{([^}]*)\}\}/g;
const FIELD = /\{(\w+)\}/g;
const whole = new Intl.NumberFormat(document.documentElement.lang || 'en');

/** A text of the page, in its language, with values in place of `{name}`. */
export function text(key: TextKey, values: Values = {}): string {
  return (texts[key] ?? key)
    .replace(PLURAL, (_, name: string, one: string, other: string) => {
      const count = Number(values[name] ?? 0);
      return (count === 1 ? one : other).replace(/#/g, whole.format(count));
    })
    .replace(FIELD, (_, name: string) => {
      const value = values[name] ?? '';
      return typeof value === 'number' ? whole.format(value) : value;
    });
}

/** A text whose key is put together; what there is no text for is said as it is. */
export function textOr(key: string, otherwise: string): string {
  return texts[key] ?? otherwise;
}
