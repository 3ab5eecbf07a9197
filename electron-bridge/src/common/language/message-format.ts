// Messages in a subset of ICU MessageFormat, as backend/deskbus/languages/message_format.py reads it.

interface Field {
  name: string;
  style: 'text' | 'number';
}

interface Branches {
  name: string;
  kind: 'plural' | 'select';
  messages: Record<string, Message>;
}

type Part = string | Field | Branches;
export type Message = Part[];

/** How one language writes what is put into its messages. */
export interface Habits {
  category(number: number): string;
  number(value: number, decimals?: number): string;
  isolated(text: string): string;
}

export type Values = Record<string, string | number>;

const OTHER = 'other';

/** Throws where it is not a message of this subset. */
export function parse(text: string): Message {
  return new Reader(text).whole();
}

export function fill(message: Message, values: Values, habits: Habits): string {
  return message
    .map((part) => {
      if (typeof part === 'string') return part;
      const value = values[part.name];
      if (value === undefined) throw new Error(`There is no value for ${part.name}.`);
      if ('style' in part) {
        return part.style === 'number' && typeof value === 'number'
          ? habits.number(value, Number.isInteger(value) ? 0 : 1)
          : habits.isolated(String(value));
      }
      const branch = part.kind === 'plural' ? habits.category(Number(value)) : String(value);
      return fill(part.messages[branch] ?? part.messages[OTHER] ?? [], values, habits);
    })
    .join('');
}

class Reader {
  private at = 0;

  constructor(private readonly text: string) {}

  whole(): Message {
    const message = this.message(undefined);
    if (this.at < this.text.length) throw new Error(`A brace too many: ${this.text}`);
    return message;
  }

  /** Up to the brace that ends it; in a plural, `#` is the number `counted`. */
  private message(counted: string | undefined): Message {
    const parts: Message = [];
    while (this.at < this.text.length && this.text[this.at] !== '}') {
      if (this.text[this.at] === '{') {
        parts.push(this.argument(counted));
      } else if (counted !== undefined && this.ahead('#')) {
        parts.push({ name: counted, style: 'number' });
      } else {
        parts.push(this.literal(counted === undefined ? /[{}]/ : /[{}#]/));
      }
    }
    return parts;
  }

  private argument(counted: string | undefined): Part {
    this.take('{');
    const name = this.literal(/[{},]/).trim();
    if (this.ahead('}')) return { name, style: 'text' };
    this.take(',');
    const style = this.literal(/[{},]/).trim();
    if (style === 'number') {
      this.take('}');
      return { name, style };
    }
    if (style !== 'plural' && style !== 'select') throw new Error(`No such style: ${this.text}`);
    this.take(',');
    const messages: Record<string, Message> = {};
    while (!this.ahead('}')) {
      const branch = this.literal(/[{}]/).trim();
      this.take('{');
      messages[branch] = this.message(style === 'plural' ? name : counted);
      this.take('}');
      this.literal(/\S/);
    }
    if (!(OTHER in messages)) throw new Error(`There is no branch ${OTHER}: ${this.text}`);
    return { name, kind: style, messages };
  }

  private literal(until: RegExp): string {
    const found = this.text.slice(this.at).search(until);
    const end = found < 0 ? this.text.length : this.at + found;
    const literal = this.text.slice(this.at, end);
    this.at = end;
    return literal;
  }

  private take(wanted: string): void {
    if (!this.ahead(wanted)) throw new Error(`${wanted} is missing: ${this.text}`);
  }

  private ahead(wanted: string): boolean {
    const found = this.text[this.at] === wanted;
    if (found) this.at += 1;
    return found;
  }
}
