import type { SubscriberParams, SubscriberRemovedParams } from '../../generated/protocol';

interface WatchHooks {
  added(subscriber: SubscriberParams): void;
  removed(subscriber: SubscriberRemovedParams): void;
}

/** The other subscribers of topics that this client may write to, across connections. */
export class SubscriberWatch {
  private known = new Map<string, SubscriberParams>();
  /** Words that came before the list which they follow was read. */
  private early: (() => void)[] | undefined;

  constructor(private readonly hooks: WatchHooks) {}

  get all(): SubscriberParams[] {
    return [...this.known.values()];
  }

  /** Asks over a new connection for who is there; what has changed since the last one is told. */
  async begin(list: () => Promise<SubscriberParams[]>): Promise<void> {
    const early: (() => void)[] = [];
    this.early = early;
    try {
      this.replace(await list());
      if (this.early === early) this.early = undefined;
      for (const word of early) word();
    } finally {
      if (this.early === early) this.early = undefined;
    }
  }

  added(subscriber: SubscriberParams): void {
    if (this.early) this.early.push(() => this.add(subscriber));
    else this.add(subscriber);
  }

  removed(subscriber: SubscriberRemovedParams): void {
    if (this.early) this.early.push(() => this.remove(subscriber));
    else this.remove(subscriber);
  }

  private replace(list: SubscriberParams[]): void {
    const now = new Set(list.map(keyOf));
    for (const [key, subscriber] of this.known) {
      // It may be on its way back, as this client was.
      if (!now.has(key)) this.remove({ ...subscriber, away: true });
    }
    for (const subscriber of list) this.add(subscriber);
  }

  private add(subscriber: SubscriberParams): void {
    const key = keyOf(subscriber);
    if (this.known.has(key)) return;
    this.known.set(key, subscriber);
    this.hooks.added(subscriber);
  }

  private remove(subscriber: SubscriberRemovedParams): void {
    if (this.known.delete(keyOf(subscriber))) this.hooks.removed(subscriber);
  }
}

function keyOf({ app, client, pattern }: SubscriberParams): string {
  return `${app} ${client} ${pattern}`;
}
