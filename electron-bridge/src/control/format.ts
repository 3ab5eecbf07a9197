// Numbers, sizes and times as people read them, in the page's language.
import { language, text } from '../renderer/language';

const dateTime = (parts: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
  // Operators of every language read times of a day by 24 hours.
  new Intl.DateTimeFormat(language.dates, { hourCycle: 'h23', ...parts });
const DAY = dateTime({ day: 'numeric', month: 'short' });
const CLOCK = dateTime({ hour: '2-digit', minute: '2-digit', second: '2-digit' });
const HOUR = dateTime({ hour: '2-digit', minute: '2-digit' });
const FINE_SECOND = new Intl.NumberFormat(language.dates, {
  minimumIntegerDigits: 2,
  minimumFractionDigits: 3,
  maximumFractionDigits: 3,
});
const SIZES = ['page.unit.b', 'page.unit.kb', 'page.unit.mb', 'page.unit.gb', 'page.unit.tb'];

export const NOTHING = '–';

/** A number with as many digits as tell something. */
export function number(value: number): string {
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return language.number(value);
  return rounded(value, size >= 10 ? 1 : 2);
}

/** The same, short: 12.4k. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return text('page.unit.billions', { value: rounded(value / 1e9, 1) });
  if (size >= 1e6) return text('page.unit.millions', { value: rounded(value / 1e6, 1) });
  if (size >= 1e4) return text('page.unit.thousands', { value: rounded(value / 1e3, 1) });
  return number(value);
}

export function rate(value: number): string {
  return perSecond(short(value));
}

export function perSecond(value: string): string {
  return text('page.unit.per-s', { value });
}

/** Of what is stored or sent: 1 MB is 1,000,000 bytes. */
export function bytes(value: number): string {
  return sizeBy(1000, value);
}

/** Of memory, as limits of it are given: 1 MB is 1,048,576 bytes. */
export function memory(value: number): string {
  return sizeBy(1024, value);
}

function sizeBy(base: number, value: number): string {
  let size = value;
  let unit = 0;
  while (Math.abs(size) >= base && unit < SIZES.length - 1) {
    size /= base;
    unit += 1;
  }
  return text(SIZES[unit] ?? '', { size: unit === 0 ? language.number(size) : number(size) });
}

/** Of seconds, with a unit that fits: 85 µs, 1.2 ms, 3 s. */
export function latency(seconds: number): string {
  if (seconds < 0.001) return text('page.unit.us', { count: language.number(seconds * 1e6) });
  if (seconds < 1) return text('page.unit.ms', { count: number(seconds * 1000) });
  return text('page.unit.s', { count: number(seconds) });
}

/** Of milliseconds, in the two largest units: 3 d 4 h. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return text('page.unit.s', { count: seconds });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return text('page.unit.min-s', { minutes, seconds: seconds % 60 });
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return text('page.unit.h', { hours, minutes: minutes % 60 });
  return text('page.unit.d', { days: Math.floor(hours / 24), hours: hours % 24 });
}

export function percent(value: number): string {
  return text('page.unit.percent', { value: number(value) });
}

/** Local time: of today with its seconds, of any other day with its date. */
export function time(ms: number): string {
  const at = new Date(ms);
  if (at.toDateString() === new Date().toDateString()) return CLOCK.format(at);
  return `${DAY.format(at)}, ${HOUR.format(at)}`;
}

/** Local time to the millisecond. */
export function fineTime(ms: number): string {
  const at = new Date(ms);
  return `${HOUR.format(at)}:${FINE_SECOND.format(at.getSeconds() + at.getMilliseconds() / 1000)}`;
}

/** For an axis: hours and minutes, with seconds where the steps are so fine. */
export function axisTime(ms: number, isFine: boolean): string {
  return (isFine ? CLOCK : HOUR).format(new Date(ms));
}

/** Without zeros at its end. */
function rounded(value: number, most: number): string {
  const near = Number(value.toFixed(most));
  const decimals = [...Array(most).keys()].find((few) => Number(near.toFixed(few)) === near);
  return language.number(near, decimals ?? most);
}
