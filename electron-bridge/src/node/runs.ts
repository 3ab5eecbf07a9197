// What is told of messages by the backend's run that they are of.

/** Runs of the backend that are told apart. */
export const MAX_RUNS = 8;
/** Messages to one app alone are numbered from here on, across all topics. */
export const DIRECTED_SEQ = 2 ** 40;

/** Topics may have any name, `__proto__` too. */
export function record<Value>(): Record<string, Value> {
  return Object.create(null) as Record<string, Value>;
}
