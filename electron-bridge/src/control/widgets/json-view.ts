import { add, h } from '../dom';

const SHOWN_CHARACTERS = 80_000;
const TOKEN =
  /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null)|([{}[\],])/g;

/** A value as JSON that people read, with its kinds told apart by colour. */
export function jsonOf(value: unknown): HTMLElement {
  const whole = JSON.stringify(value, null, 2);
  const shown = whole.slice(0, SHOWN_CHARACTERS);
  const box = h('pre', { class: 'json', tabindex: '0' });
  let at = 0;
  const tokens = new RegExp(TOKEN);
  for (let found = tokens.exec(shown); found; found = tokens.exec(shown)) {
    const [all, quoted, colon, number, word] = found;
    add(box, shown.slice(at, found.index));
    at = found.index + all.length;
    if (quoted !== undefined) {
      add(box, h('span', { class: colon === undefined ? 'text' : 'name' }, quoted), colon ?? '');
    } else if (number !== undefined) add(box, h('span', { class: 'number' }, number));
    else if (word !== undefined) add(box, h('span', { class: 'word' }, word));
    else add(box, all);
  }
  add(box, shown.slice(at), whole.length > SHOWN_CHARACTERS && ' …');
  return box;
}

/** On one line, cut where it is long. */
export function briefly(value: unknown, limit = 160): string {
  const whole = JSON.stringify(value);
  return whole.length > limit ? `${whole.slice(0, limit)}…` : whole;
}
