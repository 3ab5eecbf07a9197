import type { SubscriberParams, SubscriberRemovedParams } from '../../generated/protocol';
import type { SubscriberWord } from '../../ipc/page-lines';
import { Emitter } from '../../common/emitter';
import type { PageBus } from '../bus';

/** A subscriber whose connection was cut may be back within this time, and was never gone. */
const GRACE_MS = 5_000;

interface SubscriberEvents {
  added: SubscriberParams;
  removed: SubscriberParams;
  /** It has ended, or was removed and has not come back. */
  gone: SubscriberParams;
}

/** The other subscribers of topics that this app may write to. */
export class Subscribers extends Emitter<SubscriberEvents> {
  private readonly known = new Map<string, SubscriberParams>();
  private readonly leaving = new Map<string, ReturnType<typeof setTimeout>>();
  private started: Promise<void> | undefined;

  constructor(
    private readonly bus: Pick<PageBus, 'call' | 'on'>,
    private readonly graceMs = GRACE_MS,
  ) {
    super();
  }

  /** Resolves when it is known who is there. */
  start(): Promise<void> {
    this.started ??= this.begin().catch((error: unknown) => {
      this.started = undefined;
      throw error;
    });
    return this.started;
  }

  of(pattern: string): SubscriberParams[] {
    return [...this.known.values()].filter((subscriber) => subscriber.pattern === pattern);
  }

  private async begin(): Promise<void> {
    let stop: () => void = () => undefined;
    const listed = new Promise<void>((resolve) => {
      stop = this.bus.on('subscribers', (word) => {
        this.take(word);
        if ('all' in word) resolve();
      });
    });
    try {
      await this.bus.call('watch', {});
    } catch (error) {
      stop();
      throw error;
    }
    await listed;
  }

  private take(word: SubscriberWord): void {
    if ('added' in word) this.add(word.added);
    else if ('removed' in word) this.remove(word.removed);
    else for (const subscriber of word.all) this.known.set(keyOf(subscriber), subscriber);
  }

  private add(subscriber: SubscriberParams): void {
    const key = keyOf(subscriber);
    clearTimeout(this.leaving.get(key));
    this.leaving.delete(key);
    this.known.set(key, subscriber);
    this.emit('added', subscriber);
  }

  private remove({ away, ...subscriber }: SubscriberRemovedParams): void {
    const key = keyOf(subscriber);
    if (!this.known.delete(key)) return;
    this.emit('removed', subscriber);
    const leave = (): void => {
      this.leaving.delete(key);
      this.emit('gone', subscriber);
    };
    if (away) this.leaving.set(key, setTimeout(leave, this.graceMs));
    else leave();
  }
}

function keyOf({ app, client, pattern }: SubscriberParams): string {
  return `${app} ${client} ${pattern}`;
}
