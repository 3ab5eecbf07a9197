import { MAX_DEPTH, MAX_FRAME_BYTES } from '../generated/constants';
import { DeskbusError } from './error';

/** How many levels a frame has around its parameters, and around a payload among these. */
export const AROUND_PARAMS = 1;
export const AROUND_PAYLOAD = 2;

/** A character takes three bytes of UTF-8 at most. */
const SAFE_CHARACTERS = Math.floor(MAX_FRAME_BYTES / 3) - 1;

/** Text that JSON writes as it is; to look first is far quicker than to write it escaped. */
const UNESCAPED = /^[ !#-[\]-\ud7ff\ue000-\uffff]*$/;
/** `JSON.stringify` escapes of surrogates only those that have no other half. */
const HALF_PAIR = /(?:^|[^\\])(?:\\\\)*\\u[dD][89a-fA-F]/;

const HALF = /^[\ud800-\udfff]$/;

/** Node and pages both have it. */
const utf8 = new TextEncoder();

const QUOTE = 34;
const BACKSLASH = 92;

/** The library's type leaves out that some values give nothing. */
const stringify: (value: unknown) => string | undefined = JSON.stringify;

/**
 * A value as JSON that the backend takes, with `around` levels of the frame about it; undefined is
 * null, as it is in an array.
 *
 * Throws `DeskbusError` (invalid_params) for what JSON can't say, a function, a BigInt or an object
 * that holds itself; for half of a surrogate pair; and for more than 128 levels.
 */
export function toJson(value: unknown, around = AROUND_PARAMS): string {
  if (typeof value === 'string' && UNESCAPED.test(value)) return `"${value}"`;
  if (typeof value === 'function' || typeof value === 'symbol') throw unsayable();
  let text: string;
  try {
    text = stringify(value) ?? 'null';
  } catch {
    throw unsayable();
  }
  checkJson(text, around);
  return text;
}

/**
 * A payload as JSON, all of it: throws as `toJson` does, and for a function, a symbol or a node of a
 * document anywhere in it, which JSON would leave out.
 */
export function wholeJson(value: unknown): string {
  if (typeof value !== 'object' || value === null || isPlain(value, 0)) {
    return toJson(value, AROUND_PAYLOAD);
  }
  let text: string;
  try {
    text = JSON.stringify(value, (_key, member: unknown) => {
      if (isLeftOut(member)) throw unsayable();
      return member;
    });
  } catch {
    throw unsayable();
  }
  checkJson(text, AROUND_PAYLOAD);
  return text;
}

/** Whether JSON leaves nothing out; a quick look, which says no where it would take long to know. */
function isPlain(value: unknown, depth: number): boolean {
  if (typeof value !== 'object') return typeof value !== 'function' && typeof value !== 'symbol';
  if (value === null) return true;
  if (depth > MAX_DEPTH) return false;
  if (Array.isArray(value)) return value.every((member) => isPlain(member, depth + 1));
  if (isLeftOut(value)) return false;
  // Inherited members are seen too: a `toJSON`, or any other function, is for the long look.
  for (const name in value) {
    if (!isPlain((value as Record<string, unknown>)[name], depth + 1)) return false;
  }
  return typeof (value as { toJSON?: unknown }).toJSON !== 'function';
}

/** Whether JSON leaves the value out, or makes an empty object of it. */
function isLeftOut(value: unknown): boolean {
  if (typeof value === 'function' || typeof value === 'symbol') return true;
  const { nodeType, nodeName } = (value ?? {}) as { nodeType?: unknown; nodeName?: unknown };
  return typeof nodeType === 'number' && typeof nodeName === 'string';
}

/** A payload among parameters: undefined is null. Throws `DeskbusError` for what is left out there. */
export function asPayload(value: unknown): unknown {
  const left = typeof value;
  if (left === 'function' || left === 'symbol' || left === 'bigint') throw unsayable();
  return value ?? null;
}

/** The first characters of a text, all of which can be sent: halves of surrogate pairs are replaced. */
export function sayable(text: string, characters: number): string {
  // A character is one unit of the text, or a pair of them.
  const first = Array.from(text.slice(0, 2 * characters)).slice(0, characters);
  return first.map((one) => (HALF.test(one) ? '\ufffd' : one)).join('');
}

/** Throws what `toJson` does, of text that `JSON.stringify` made. */
export function checkJson(text: string, around = AROUND_PARAMS): void {
  if (text.includes('\\u') && HALF_PAIR.test(text)) {
    throw DeskbusError.of('invalid_params', 'A string holds half of a surrogate pair.');
  }
  const limit = MAX_DEPTH - around;
  // Each level takes two characters.
  if (text.length > 2 * limit && opens(text, limit) && isDeeper(text, limit)) {
    throw DeskbusError.of('invalid_params', `The value is nested more than ${limit} deep.`);
  }
}

/** Throws `DeskbusError` (too_large) for a frame that the backend would refuse unread. */
export function checkSize(frame: string): void {
  if (frame.length > SAFE_CHARACTERS && utf8.encode(frame).length >= MAX_FRAME_BYTES) {
    throw DeskbusError.of('too_large');
  }
}

function unsayable(): DeskbusError {
  return DeskbusError.of('invalid_params', 'The value can not be written as JSON.', {
    action: 'Pass JSON alone: no function, symbol, BigInt, circular reference or DOM node.',
  });
}

/** Whether more than so many brackets open, in strings or out of them. */
function opens(text: string, limit: number): boolean {
  return count(text, '[', limit) + count(text, '{', limit) > limit;
}

function count(text: string, bracket: string, limit: number): number {
  let found = 0;
  let at = text.indexOf(bracket);
  while (at >= 0 && found <= limit) {
    found += 1;
    at = text.indexOf(bracket, at + 1);
  }
  return found;
}

function isDeeper(text: string, limit: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === 91 || code === 123) depth += 1;
    else if (code === 93 || code === 125) depth -= 1;
    if (depth > limit) return true;
  }
  return false;
}

/** Where the string that begins at `start` ends. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at += 1) {
    at = text.indexOf('"', at);
    if (at < 0) return text.length;
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes += 1;
    if (slashes % 2 === 0) return at;
  }
}
