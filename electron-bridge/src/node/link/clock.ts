import { performance } from 'perf_hooks';

/** Milliseconds that no change of the wall clock touches. */
export function monotonicMs(): number {
  return performance.now();
}

/** Unix milliseconds with fractions; the wall clock was read once, at the start. */
export function unixMs(): number {
  return performance.timeOrigin + performance.now();
}

/** Node lets a timer that should take longer go off at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** A timer; none where the limit is beyond what a timer can do. */
export function startTimer(
  limitMs: number | undefined,
  then: () => void,
): NodeJS.Timeout | undefined {
  if (limitMs === undefined || !(limitMs <= LONGEST_TIMER_MS)) return undefined;
  return setTimeout(then, limitMs);
}
