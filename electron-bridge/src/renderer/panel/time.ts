import { language } from '../language';

const { dates } = language;
const TIME = new Intl.DateTimeFormat(dates, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const DAY = new Intl.DateTimeFormat(dates, { day: 'numeric', month: 'short', year: 'numeric' });
const MINUTE = new Intl.DateTimeFormat(dates, { hour: '2-digit', minute: '2-digit' });

/** Local time: of today with its seconds, of any other day with its date. */
export function shortTime(at: Date, now: Date): string {
  if (at.toDateString() === now.toDateString()) return TIME.format(at);
  return `${DAY.format(at)}, ${MINUTE.format(at)}`;
}

/** Local time in full, to the millisecond. */
export function fullTime(at: Date): string {
  const ms = String(at.getMilliseconds()).padStart(3, '0');
  return `${DAY.format(at)}, ${TIME.format(at)}.${ms}`;
}
