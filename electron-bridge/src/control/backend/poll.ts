/** Runs a task again and again while the page is in view: one at a time, `everyMs` apart. */
export class Poll {
  private timer: number | undefined;
  private isRunning = false;
  private isStopped = true;

  constructor(
    private readonly everyMs: number,
    private readonly task: () => Promise<void>,
  ) {}

  start(): void {
    if (!this.isStopped) return;
    this.isStopped = false;
    document.addEventListener('visibilitychange', this.onVisible);
    void this.run();
  }

  stop(): void {
    this.isStopped = true;
    document.removeEventListener('visibilitychange', this.onVisible);
    window.clearTimeout(this.timer);
  }

  /** Runs it at once. */
  now(): void {
    if (this.isStopped || this.isRunning) return;
    window.clearTimeout(this.timer);
    void this.run();
  }

  private readonly onVisible = (): void => {
    if (!document.hidden) this.now();
  };

  private async run(): Promise<void> {
    if (this.isRunning) return;
    this.isRunning = true;
    try {
      await this.task();
    } finally {
      this.isRunning = false;
    }
    window.clearTimeout(this.timer);
    if (!this.isStopped && !document.hidden) {
      this.timer = window.setTimeout(() => void this.run(), this.everyMs);
    }
  }
}
