/** Limits of what leaves together; each may be set by itself. */
export interface BatchOptions {
  /** Messages and calls, 1 at least. */
  count?: number;
  characters?: number;
  /**
   * Milliseconds for which what follows a batch may be gathered; 0, unless told: only what is said in
   * one turn leaves together. Neither a lone message nor the first of a burst is ever delayed.
   */
  delayMs?: number;
}

/** Counters of what left together: `frames` over `batches` is how many on average. */
export interface BatchStats {
  batches: number;
  frames: number;
  characters: number;
  /** Batches that left because they were full. */
  full: number;
  /** Batches that waited for `delayMs`. */
  delayed: number;
}

export function noBatches(): BatchStats {
  return { batches: 0, frames: 0, characters: 0, full: 0, delayed: 0 };
}

interface Surroundings {
  now(): number;
  /** Runs something when the present turn ends. */
  atEndOfTurn(then: () => void): void;
}

/** The decision when what is gathered leaves: at the end of its turn, when it is full, or later. */
export class Batching {
  private limits: Required<BatchOptions>;
  private frames = 0;
  private characters = 0;
  private due = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private last = -Infinity;

  /** `send` lets everything leave that was added. */
  constructor(
    private readonly send: () => void,
    private readonly surroundings: Surroundings,
    private readonly most: Required<BatchOptions>,
    readonly stats: BatchStats = noBatches(),
  ) {
    this.limits = most;
  }

  /** Sets limits, within those that it began with; a delay has no other bound than patience. */
  set({ count, characters, delayMs }: BatchOptions): void {
    const { most } = this;
    this.limits = {
      count: within(count, most.count),
      characters: within(characters, most.characters),
      delayMs: delayMs !== undefined && delayMs > 0 ? Math.min(delayMs, MAX_DELAY_MS) : 0,
    };
  }

  /** Notes one frame that is to leave. */
  add(characters: number): void {
    this.frames += 1;
    this.characters += characters;
    if (this.frames >= this.limits.count || this.characters >= this.limits.characters) {
      this.stats.full += 1;
      this.flush();
    } else if (!this.due) {
      this.due = true;
      this.wait();
    }
  }

  /** Lets everything leave now. */
  flush(): void {
    this.due = false;
    clearTimeout(this.timer);
    if (this.frames === 0) return;
    this.stats.batches += 1;
    this.stats.frames += this.frames;
    this.stats.characters += this.characters;
    this.frames = 0;
    this.characters = 0;
    if (this.limits.delayMs > 0) this.last = this.surroundings.now();
    this.send();
  }

  private wait(): void {
    const flush = (): void => this.flush();
    const { delayMs } = this.limits;
    const left = delayMs > 0 ? this.last + delayMs - this.surroundings.now() : 0;
    if (left <= 0) this.surroundings.atEndOfTurn(flush);
    else {
      this.stats.delayed += 1;
      this.timer = setTimeout(flush, left);
    }
  }
}

/** Longer than this nothing waits for company, whatever is asked. */
export const MAX_DELAY_MS = 1000;

function within(wanted: number | undefined, most: number): number {
  return wanted !== undefined && wanted >= 1 ? Math.min(wanted, most) : most;
}
