import { performance } from 'perf_hooks';

/** Milliseconds that no change of the wall clock touches. */
export function monotonicMs(): number {
  return performance.now();
}
