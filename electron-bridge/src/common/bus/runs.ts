// Facts about messages, by the backend's run that they are of.

/** Topics may have any name, `__proto__` too. */
export function record<Value>(): Record<string, Value> {
  return Object.create(null) as Record<string, Value>;
}
