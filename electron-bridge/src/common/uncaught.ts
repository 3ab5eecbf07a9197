/** Tells a listener's own fault as an uncaught error, and not at the cost of what else runs. */
export function throwLater(error: unknown): void {
  setTimeout(() => {
    throw error;
  }, 0);
}
