import type { Message } from './message';
import { matches } from './topics';
import { throwLater } from './uncaught';

export type Listener<M = Message> = (message: M) => void;
export type Stop = () => Promise<void>;

/** How subscriptions are made known to the other side. */
export interface SubscriptionWire {
  subscribe(pattern: string): Promise<unknown>;
  unsubscribe(pattern: string): Promise<unknown>;
}

interface Handle<M> {
  readonly call: Listener<M>;
}

interface Entry<M> {
  readonly pattern: string;
  readonly listeners: Set<Handle<M>>;
  ready: Promise<unknown>;
}

const CACHED_TOPICS = 1024;

/**
 * The listeners of one connection. A pattern is subscribed once, whatever the number of its
 * listeners, and a message, which comes once, goes to each listener whose pattern it fits.
 */
export class Subscriptions<M extends { topic: string } = Message> {
  private readonly entries = new Map<string, Entry<M>>();
  private routes = new Map<string, Listener<M>[]>();
  private lastTopic: string | undefined;
  private lastRoute: Listener<M>[] = [];

  constructor(private readonly wire: SubscriptionWire) {}

  /** Rejects with the wire's error; the listener is gone then. */
  async add(pattern: string, listener: Listener<M>): Promise<Stop> {
    const entry = this.entries.get(pattern) ?? this.open(pattern);
    const handle = { call: listener };
    entry.listeners.add(handle);
    this.forgetRoutes();
    try {
      await entry.ready;
    } catch (error) {
      entry.listeners.delete(handle);
      this.forgetRoutes();
      throw error;
    }
    return () => this.remove(entry, handle);
  }

  deliver(message: M): void {
    const { topic } = message;
    if (topic !== this.lastTopic) {
      this.lastRoute = this.route(topic);
      this.lastTopic = topic;
    }
    for (const listener of this.lastRoute) {
      try {
        listener(message);
      } catch (error) {
        throwLater(error);
      }
    }
  }

  /**
   * Makes every subscription known again, over a new connection. `keeps` is told what was refused
   * and says whether the subscription stays, for the next connection.
   */
  renew(keeps: (pattern: string, error: unknown) => boolean): void {
    for (const entry of [...this.entries.values()]) {
      const ready = this.wire.subscribe(entry.pattern);
      entry.ready = ready;
      ready.catch((error: unknown) => {
        if (keeps(entry.pattern, error) || entry.ready !== ready) return;
        this.entries.delete(entry.pattern);
        this.forgetRoutes();
      });
    }
  }

  private open(pattern: string): Entry<M> {
    const ready = this.wire.subscribe(pattern);
    const entry: Entry<M> = { pattern, listeners: new Set(), ready };
    this.entries.set(pattern, entry);
    ready.catch(() => {
      if (this.entries.get(pattern) === entry && entry.ready === ready) {
        this.entries.delete(pattern);
      }
    });
    return entry;
  }

  private async remove(entry: Entry<M>, handle: Handle<M>): Promise<void> {
    if (!entry.listeners.delete(handle)) return;
    this.forgetRoutes();
    // A person may still be asked about it; nothing is taken back before it was given.
    await entry.ready.catch(() => undefined);
    if (entry.listeners.size > 0 || this.entries.get(entry.pattern) !== entry) return;
    this.entries.delete(entry.pattern);
    await this.wire.unsubscribe(entry.pattern);
  }

  private forgetRoutes(): void {
    this.routes.clear();
    this.lastTopic = undefined;
  }

  private route(topic: string): Listener<M>[] {
    const known = this.routes.get(topic);
    if (known) return known;
    const found: Listener<M>[] = [];
    for (const [pattern, entry] of this.entries) {
      if (matches(pattern, topic)) for (const { call } of entry.listeners) found.push(call);
    }
    if (this.routes.size >= CACHED_TOPICS) this.routes = new Map();
    this.routes.set(topic, found);
    return found;
  }
}
