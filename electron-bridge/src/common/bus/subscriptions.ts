import { MAX_SOURCES } from '../../generated/constants';
import type { SubscribeParams, Source } from '../../generated/protocol';
import { DeskbusError } from '../error';
import type { Numbered } from './acknowledgements';
import type { Message } from './message';
import { matches } from './topics';
import { throwLater } from '../uncaught';

export type Mode = NonNullable<SubscribeParams['mode']>;
/** The result is ignored, but for the promise that an acknowledged one may return. */
export type Listener<M = Message> = (message: M) => unknown;
export type Stop = () => Promise<void>;

export interface SubscribeOptions {
  /**
   * `live`, unless told. With `acknowledged` a message comes again until every listener of such
   * subscriptions has returned, and what it promised is fulfilled.
   */
  mode?: Mode;
  /** Only messages of these senders: of an app, or of one of its clients. */
  sources?: readonly Source[];
}

/** The part of its listeners' wishes that the other side is asked for. */
export type Wish = Pick<SubscribeParams, 'mode' | 'sources'>;

/** How subscriptions are made known to the other side. */
export interface SubscriptionWire<M = Message> {
  subscribe(pattern: string, wish: Wish): Promise<unknown>;
  unsubscribe(pattern: string): Promise<unknown>;
  /** A message was taken by all that acknowledge it. */
  acknowledge(message: M): void;
  /** One of them failed; the message will come again. */
  failed(message: M, error: unknown): void;
}

/** The members of a message that are looked at here. */
type Sent = Numbered & Pick<Message, 'sender'>;

interface Handle<M> {
  readonly call: Listener<M>;
  readonly mode: Mode;
  readonly sources: readonly Source[] | undefined;
}

interface Entry<M> {
  readonly pattern: string;
  readonly listeners: Set<Handle<M>>;
  /** The wish that the other side was last asked for, as JSON. */
  asked: string;
  ready: Promise<unknown>;
  /** Whether the other side said that it has it so. */
  standing: boolean;
}

interface Route<M> {
  readonly live: readonly Listener<M>[];
  readonly acknowledged: readonly Listener<M>[];
}

const CACHED_TOPICS = 1024;
const MODES: ReadonlySet<unknown> = new Set<Mode>(['live', 'acknowledged']);

/**
 * The listeners of one connection. A pattern is subscribed once, whatever the number of its
 * listeners, as acknowledged if one of them is; and a message, which comes once, goes to each
 * listener whose pattern it fits.
 */
export class Subscriptions<M extends Sent = Message> {
  private readonly entries = new Map<string, Entry<M>>();
  private routes = new Map<string, Route<M>>();
  private lastTopic: string | undefined;
  private lastRoute: Route<M> = { live: [], acknowledged: [] };
  /** Messages that an acknowledging listener is still at work on. */
  private readonly busy = new Set<string>();

  constructor(private readonly wire: SubscriptionWire<M>) {}

  /** Rejects with invalid_params, and the wire's error; the listener is gone then. */
  async add(pattern: string, listener: Listener<M>, options: SubscribeOptions = {}): Promise<Stop> {
    check(listener, options);
    const { mode = 'live', sources } = options;
    const entry = this.entries.get(pattern) ?? this.open(pattern);
    const call = sources ? onlyFrom(sources, listener) : listener;
    const handle = { call, mode, sources };
    entry.listeners.add(handle);
    this.forgetRoutes();
    if (entry.asked !== JSON.stringify(wishOf(entry))) {
      const { standing } = entry;
      this.ask(entry, () => {
        if (!standing) this.drop(entry);
      });
    }
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
    const { live, acknowledged } = this.lastRoute;
    for (const listener of live) {
      try {
        listener(message);
      } catch (error) {
        throwLater(error);
      }
    }
    if (acknowledged.length > 0) this.attend(message, acknowledged);
  }

  /**
   * Makes subscriptions known again, over a new connection: all of them, or with `resumed` those
   * that the other side may not have. `keeps` is told what was refused and says whether the
   * subscription stays, for the next connection.
   */
  renew(resumed: boolean, keeps: (pattern: string, error: unknown) => boolean): void {
    for (const entry of [...this.entries.values()]) {
      if (resumed && entry.standing) continue;
      this.ask(entry, (error) => {
        if (!keeps(entry.pattern, error)) this.drop(entry);
      });
    }
  }

  /** The other side does not have it any more: who wants it has to ask again. */
  forget(pattern: string): void {
    const entry = this.entries.get(pattern);
    if (entry) this.drop(entry);
  }

  has(pattern: string): boolean {
    return this.entries.has(pattern);
  }

  private open(pattern: string): Entry<M> {
    const entry: Entry<M> = {
      pattern,
      listeners: new Set(),
      asked: '',
      ready: Promise.resolve(),
      standing: false,
    };
    this.entries.set(pattern, entry);
    return entry;
  }

  /** `onRefused` is told of an error, unless the other side was asked again since. */
  private ask(entry: Entry<M>, onRefused: (error: unknown) => void): void {
    entry.standing = false;
    const wish = wishOf(entry);
    entry.asked = JSON.stringify(wish);
    const ready = this.wire.subscribe(entry.pattern, wish);
    entry.ready = ready;
    ready.then(
      () => {
        if (entry.ready === ready) entry.standing = true;
      },
      (error: unknown) => {
        if (entry.ready !== ready) return;
        // The next listener asks anew, and is not told of this.
        entry.asked = '';
        onRefused(error);
      },
    );
  }

  private drop(entry: Entry<M>): void {
    if (this.entries.get(entry.pattern) === entry) this.entries.delete(entry.pattern);
    this.forgetRoutes();
  }

  private async remove(entry: Entry<M>, handle: Handle<M>): Promise<void> {
    if (!entry.listeners.delete(handle)) return;
    this.forgetRoutes();
    // A person may still be asked about it; nothing is taken back before it was given.
    await entry.ready.catch(() => undefined);
    if (this.entries.get(entry.pattern) !== entry) return;
    if (entry.listeners.size === 0) {
      this.drop(entry);
      await this.wire.unsubscribe(entry.pattern);
    } else if (entry.asked !== JSON.stringify(wishOf(entry))) {
      this.ask(entry, () => undefined);
      await entry.ready;
    }
  }

  private forgetRoutes(): void {
    this.routes.clear();
    this.lastTopic = undefined;
  }

  private route(topic: string): Route<M> {
    const known = this.routes.get(topic);
    if (known) return known;
    const found: Record<Mode, Listener<M>[]> = { live: [], acknowledged: [] };
    for (const [pattern, { listeners }] of this.entries) {
      if (matches(pattern, topic)) for (const { call, mode } of listeners) found[mode].push(call);
    }
    if (this.routes.size >= CACHED_TOPICS) this.routes = new Map();
    this.routes.set(topic, found);
    return found;
  }

  /** Lets the listeners work on a message, unless they still do since it came before. */
  private attend(message: M, listeners: readonly Listener<M>[]): void {
    if (this.busy.size > 0 && this.busy.has(keyOf(message))) return;
    const promised: unknown[] = [];
    let failed = false;
    for (const listener of listeners) {
      try {
        const result = listener(message);
        if (isPromise(result)) promised.push(result);
      } catch (error) {
        failed = true;
        this.wire.failed(message, error);
      }
    }
    if (promised.length > 0) void this.await(message, promised, failed);
    else if (!failed) this.wire.acknowledge(message);
  }

  private async await(message: M, promised: unknown[], failed: boolean): Promise<void> {
    const key = keyOf(message);
    this.busy.add(key);
    try {
      await Promise.all(promised);
      if (!failed) this.wire.acknowledge(message);
    } catch (error) {
      this.wire.failed(message, error);
    }
    this.busy.delete(key);
  }
}

/** The wish that brings every listener its messages; the broker filters live ones only by source. */
function wishOf<M>({ listeners }: Entry<M>): Wish {
  const sources = new Map<string, Source>();
  let filtered = listeners.size > 0;
  for (const handle of listeners) {
    if (handle.mode === 'acknowledged') return { mode: 'acknowledged' };
    if (!handle.sources) filtered = false;
    for (const { app, client } of handle.sources ?? []) {
      const source = client === undefined ? { app } : { app, client };
      sources.set(JSON.stringify(source), source);
    }
  }
  // Beyond the limit all messages come, and most are passed over here.
  if (!filtered || sources.size > MAX_SOURCES) return { mode: 'live' };
  return { mode: 'live', sources: [...sources.values()] };
}

/** A program in JavaScript may pass anything; each message would fail on it. */
function check(listener: unknown, options: unknown): void {
  if (typeof listener !== 'function') {
    throw DeskbusError.of('invalid_params', 'The listener is not a function.', {
      action: 'Pass a function behind the pattern; it is called with each message.',
    });
  }
  const { mode = 'live' } = (options ?? {}) as { mode?: unknown };
  if (typeof options !== 'object' || options === null || !MODES.has(mode)) {
    throw DeskbusError.of('invalid_params', 'There is no such mode of a subscription.', {
      action: "Leave it out, or pass { mode: 'acknowledged' }.",
    });
  }
}

function onlyFrom<M extends Sent>(sources: readonly Source[], listener: Listener<M>): Listener<M> {
  return (message) => {
    const { app, client } = message.sender;
    const fits = (source: Source): boolean =>
      source.app === app && (source.client === undefined || source.client === client);
    return sources.some(fits) ? listener(message) : undefined;
  };
}

function keyOf({ epoch, seq, topic }: Numbered): string {
  return `${epoch} ${seq} ${topic}`;
}

function isPromise(value: unknown): boolean {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
