import { fill, parse, type Habits, type Message, type Values } from './message-format';

/** A file of backend/deskbus/languages, or the part of it that a page needs. */
export interface TextCatalogue {
  language: string;
  direction: 'ltr' | 'rtl';
  /** The locale by whose habits times are written. */
  dates: string;
  numbers: { group: string; decimal: string };
  messages: Record<string, string>;
}

const RIGHT_TO_LEFT =
  /[\u0590-\u08ff]|[\ufb1d-\ufdff]|[\ufe70-\ufefc]|[\u{10800}-\u{10fff}]|[\u{1e800}-\u{1efff}]/u;
const LEFT_TO_RIGHT =
  /\p{Script=Latin}|[\u0370-\u0482]|[\u048a-\u058f]|[\u0904-\u1fff]|[\u2c00-\ud7ff]/u;

/** The texts of one language, with their values filled in as it has them. */
export class Language implements Habits {
  private readonly parsed = new Map<string, Message>();
  private readonly rules: Intl.PluralRules;
  private readonly foreign: RegExp;

  constructor(private readonly catalogue: TextCatalogue) {
    this.rules = new Intl.PluralRules(catalogue.language);
    this.foreign = catalogue.direction === 'rtl' ? LEFT_TO_RIGHT : RIGHT_TO_LEFT;
  }

  get code(): string {
    return this.catalogue.language;
  }

  get dates(): string {
    return this.catalogue.dates;
  }

  has(key: string): boolean {
    return key in this.catalogue.messages;
  }

  /** The text of `key`, which a test holds to be there. */
  text(key: string, values: Values = {}): string {
    let message = this.parsed.get(key);
    if (!message) {
      const text = this.catalogue.messages[key];
      if (text === undefined) throw new Error(`There is no text ${key}.`);
      message = parse(text);
      this.parsed.set(key, message);
    }
    return fill(message, values, this);
  }

  /** The text of a key that is made of what others sent; `otherwise` where there is none. */
  textOr(key: string, otherwise: string, values: Values = {}): string {
    return this.has(key) ? this.text(key, values) : otherwise;
  }

  number(value: number, decimals = 0): string {
    const { group, decimal } = this.catalogue.numbers;
    const [whole = '', rest] = value.toFixed(decimals).split('.');
    const grouped = whole.replace(/\B(?=(\d{3})+$)/g, group);
    return rest === undefined ? grouped : `${grouped}${decimal}${rest}`;
  }

  category(number: number): string {
    return this.rules.select(number);
  }

  /** A value that is written the other way round turns nothing around it (UAX #9). */
  isolated(text: string): string {
    return this.foreign.test(text) ? `\u2068${text}\u2069` : text;
  }
}
