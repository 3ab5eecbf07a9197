// Numbers, sizes and times as people read them, in the page's language.

const locale = document.documentElement.lang || 'en';
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
const two = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const CLOCK = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const HOUR = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });

export const NOTHING = '–';

/** A number with as many digits as tell something. */
export function number(value: number): string {
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return whole.format(value);
  return size >= 10 ? one.format(value) : two.format(value);
}

/** The same, short: 12.4k. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${one.format(value / 1e9)}G`;
  if (size >= 1e6) return `${one.format(value / 1e6)}M`;
  if (size >= 1e4) return `${one.format(value / 1e3)}k`;
  return number(value);
}

export function rate(value: number): string {
  return `${short(value)}/s`;
}

export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let size = value;
  let unit = 0;
  while (Math.abs(size) >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? whole.format(size) : number(size)} ${units[unit] ?? ''}`;
}

/** Of seconds, with a unit that fits: 85 µs, 1.2 ms, 3 s. */
export function latency(seconds: number): string {
  if (seconds < 0.001) return `${whole.format(seconds * 1e6)} µs`;
  if (seconds < 1) return `${number(seconds * 1000)} ms`;
  return `${number(seconds)} s`;
}

/** Of milliseconds, in the two largest units: 3 d 4 h. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export function percent(value: number): string {
  return `${number(value)} %`;
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
  return `${CLOCK.format(at)}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

/** For an axis: hours and minutes, with seconds where the steps are so fine. */
export function axisTime(ms: number, isFine: boolean): string {
  return (isFine ? CLOCK : HOUR).format(new Date(ms));
}
