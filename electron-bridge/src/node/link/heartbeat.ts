import { HEARTBEAT_DEADLINE_MS, HEARTBEAT_INTERVAL_MS } from '../../generated/constants';
import { monotonicMs } from './clock';

export interface HeartbeatOptions {
  /** After so long a silence the other side is asked for a sign of life. */
  intervalMs?: number;
  /** After so long a silence it is dead. */
  deadlineMs?: number;
}

interface HeartbeatHooks {
  /** Asks the other side, which answers. */
  ask(): void;
  dead(): void;
}

/** Finds out that the other side has gone silent. One timer, that a sign of life does not touch. */
export class Heartbeat {
  private readonly intervalMs: number;
  private readonly deadlineMs: number;
  private timer: NodeJS.Timeout | undefined;
  private heardAt = 0;
  private dueAt = 0;
  private paused = false;

  constructor(
    private readonly hooks: HeartbeatHooks,
    options: HeartbeatOptions = {},
    private readonly clockMs: () => number = monotonicMs,
  ) {
    this.intervalMs = options.intervalMs ?? HEARTBEAT_INTERVAL_MS;
    this.deadlineMs = options.deadlineMs ?? HEARTBEAT_DEADLINE_MS;
  }

  start(): void {
    this.stop();
    this.heardAt = this.clockMs();
    this.lookAt(this.heardAt + this.intervalMs);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  /** Something arrived. */
  heard(): void {
    this.heardAt = this.clockMs();
  }

  /** Nothing is read until `resume`, so silence means nothing; the other side still hears of us. */
  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.heardAt = this.clockMs();
  }

  private lookAt(when: number): void {
    this.dueAt = when;
    this.timer = setTimeout(() => {
      // Frames that arrived meanwhile are read first.
      setImmediate(() => {
        if (this.timer !== undefined) this.look();
      });
    }, when - this.clockMs());
  }

  private look(): void {
    const now = this.clockMs();
    const silentMs = now - this.heardAt;
    if (this.paused) {
      this.hooks.ask();
      this.lookAt(now + this.intervalMs);
    } else if (silentMs < this.intervalMs) {
      this.lookAt(this.heardAt + this.intervalMs);
    } else if (now - this.dueAt > this.intervalMs) {
      // This machine slept, or this process stood still: the silence was its own.
      this.heardAt = now - this.intervalMs;
      this.ask();
    } else if (silentMs >= this.deadlineMs) {
      this.timer = undefined;
      this.hooks.dead();
    } else {
      this.ask();
    }
  }

  private ask(): void {
    this.hooks.ask();
    this.lookAt(this.heardAt + this.deadlineMs);
  }
}
