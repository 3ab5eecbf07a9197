/** Waiting times that double, with jitter so that many clients don't come back at one moment. */
export class Backoff {
  private attempts = 0;

  constructor(
    private readonly firstMs: number,
    private readonly limitMs: number,
    private readonly random: () => number = Math.random,
  ) {}

  /** Milliseconds to wait: half of the doubled time for sure, up to the whole of it by chance. */
  next(): number {
    const ceiling = Math.min(this.limitMs, this.firstMs * 2 ** Math.min(this.attempts, 30));
    this.attempts += 1;
    return Math.round(ceiling * (0.5 + 0.5 * this.random()));
  }

  reset(): void {
    this.attempts = 0;
  }
}
