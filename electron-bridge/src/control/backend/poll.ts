/** Runs a task again and again while the page is in view: one at a time, `everyMs` apart. */
export class Poll {
  private timer: number | undefined;
  private isRunning = false;
  private isWanted = false;
  private isStopped = true;

  constructor(
    private readonly everyMs: number,
    private readonly task: () => Promise<void>,
  ) {}

  start(): void {
    if (!this.isStopped) return;
    this.isStopped = false;
    document.addEventListener('visibilitychange', this.onVisible);
    // A page is told what to show right after it was made.
    queueMicrotask(() => this.now());
  }

  stop(): void {
    this.isStopped = true;
    document.removeEventListener('visibilitychange', this.onVisible);
    window.clearTimeout(this.timer);
  }

  /** Runs it at once, or as soon as the run under way is over. */
  now(): void {
    if (this.isStopped) return;
    this.isWanted = true;
    window.clearTimeout(this.timer);
    void this.run();
  }

  private readonly onVisible = (): void => {
    if (!document.hidden) this.now();
  };

  private async run(): Promise<void> {
    if (this.isRunning) return;
    this.isRunning = true;
    this.takeWish();
    try {
      await this.task();
    } finally {
      this.isRunning = false;
    }
    if (this.takeWish()) this.now();
    else if (!this.isStopped && !document.hidden) {
      this.timer = window.setTimeout(() => void this.run(), this.everyMs);
    }
  }

  /** Whether somebody has wanted another run; that is settled with it. */
  private takeWish(): boolean {
    const { isWanted } = this;
    this.isWanted = false;
    return isWanted;
  }
}
