import type { WebContents } from 'electron';
import type { RefusedParams, Source } from '../generated/protocol';
import type { Client } from '../node/client';
import { asDeskbusError, asFailure, DeskbusError } from '../common/error';
import type { CancelSignal, Params } from '../node/link';
import type { ClientCallOptions } from '../node/options';
import type { Numbered } from '../common/acknowledgements';
import type { Stop, Wish } from '../common/subscriptions';
import type { Endpoint } from './ipc';
import {
  Channel,
  OPERATIONS,
  type Operation,
  type Reply,
  type SubscriberWord,
} from '../ipc/operations';

/** Characters that may lie between here and a page that does not take its messages. */
const PAUSE_CHARACTERS = 4 * 1024 * 1024;
const RESUME_CHARACTERS = 1024 * 1024;

interface Subscription {
  /** Its wish as JSON. */
  readonly key: string;
  readonly stop: Promise<Stop>;
}

/**
 * Carries a page's operations to its window's connection, and the messages back.
 *
 * Messages are passed on unparsed, those of one turn together. A page that does not keep up
 * pauses its own connection, so what is waiting stays bounded. Subscriptions are a page's: they
 * end when the window shows another one, as after a reload.
 */
export class Relay implements Endpoint {
  private readonly subscriptions = new Map<string, Subscription>();
  /** Operations that the page may still cancel. */
  private cancels = new Map<number, Cancel>();
  private page = '';
  private lines: string[] = [];
  private waiting = 0;
  private paused = false;
  /** Whether the page wants to know who subscribes. */
  private watches = false;

  constructor(
    private readonly contents: WebContents,
    private readonly client: Client,
  ) {
    client.on('state', (state) => this.send(Channel.state, state));
    client.on('refused', (refusal) => {
      // A renewal was refused: to subscribe again has to ask again.
      if (isRenewal(refusal)) this.subscriptions.delete(refusal.topic);
      this.send(Channel.refused, refusal);
    });
    client.on('gap', (gap) => this.send(Channel.gap, gap));
    client.on('permissions', (changed) => this.send(Channel.permissions, changed));
    client.on('subscriberAdded', (added) => this.tellSubscribers({ added }));
    client.on('subscriberRemoved', (removed) => this.tellSubscribers({ removed }));
  }

  begin(page: string): void {
    if (page === this.page) return;
    this.dropPage();
    this.page = page;
    this.send(Channel.state, this.client.state);
  }

  async call(page: string, operation: Operation, params: object, number?: number): Promise<Reply> {
    this.begin(page);
    const cancel = new Cancel();
    if (number !== undefined) this.cancels.set(number, cancel);
    try {
      return { result: await this.perform(operation, params, cancel) };
    } catch (error) {
      return { error: asFailure(asDeskbusError(error)) };
    } finally {
      if (number !== undefined && this.cancels.get(number) === cancel) this.cancels.delete(number);
    }
  }

  cancel(page: string, number: number): void {
    if (page === this.page) this.cancels.get(number)?.abort();
  }

  post(page: string, publishes: object[]): void {
    this.begin(page);
    for (const params of publishes) this.publish(params as Params<'bus.publish'>);
  }

  acknowledge(page: string, messages: object[]): void {
    if (page !== this.page) return;
    for (const message of messages) if (isNumbered(message)) this.client.acknowledge(message);
  }

  taken(page: string, characters: number): void {
    if (page !== this.page) return;
    this.waiting = Math.max(0, this.waiting - characters);
    if (this.paused && this.waiting < RESUME_CHARACTERS) this.resume();
  }

  /** Takes a `bus.message` frame from the connection. */
  message(line: string): void {
    if (this.page === '') return;
    if (this.lines.length === 0) setImmediate(() => this.flush());
    this.lines.push(line);
    this.waiting += line.length;
    if (!this.paused && this.waiting > PAUSE_CHARACTERS) {
      this.paused = true;
      this.client.pause();
    }
  }

  /** The page is gone: ends its subscriptions and forgets what waits for it. */
  dropPage(): void {
    this.page = '';
    this.cancels = new Map();
    this.lines = [];
    this.waiting = 0;
    this.watches = false;
    if (this.paused) this.resume();
    for (const subscription of this.subscriptions.values()) {
      end(subscription).catch(() => undefined);
    }
    this.subscriptions.clear();
  }

  private publish(params: Params<'bus.publish'>): void {
    const { topic, payload, ...options } = params;
    try {
      this.client.publish(topic, payload, options);
    } catch (error) {
      const { code, message, action } = asDeskbusError(error);
      const refusal = { method: OPERATIONS.publish, code, message, action, count: 1, topic };
      this.send(Channel.refused, refusal);
    }
  }

  private async perform(
    operation: Operation,
    params: object,
    signal: CancelSignal,
  ): Promise<unknown> {
    const { pattern } = params as { pattern?: unknown };
    switch (operation) {
      case 'subscribe':
        await this.subscribe(asPattern(pattern), asWish(params));
        return {};
      case 'watch':
        await this.watch();
        return {};
      case 'unsubscribe':
        await this.unsubscribe(asPattern(pattern));
        return {};
      default: {
        const { whileClosed, ...rest } = params as { whileClosed?: unknown };
        const choice = { signal, ...(whileClosed === 'queue' ? { whileClosed } : {}) };
        // The backend checks what is in it against the method's schema.
        return this.client.call(OPERATIONS[operation], rest, choice as ClientCallOptions);
      }
    }
  }

  private async watch(): Promise<void> {
    const { page } = this;
    const all = await this.client.watchSubscribers();
    if (page !== this.page) return;
    this.watches = true;
    this.tellSubscribers({ all });
  }

  private tellSubscribers(word: SubscriberWord): void {
    if (this.watches) this.send(Channel.subscribers, word);
  }

  private async subscribe(pattern: string, wish: Wish): Promise<void> {
    const earlier = this.subscriptions.get(pattern);
    const key = JSON.stringify(wish);
    if (earlier?.key === key) {
      await earlier.stop;
      return;
    }
    const stop = this.client.subscribe(pattern, () => undefined, wish);
    const subscription = { key, stop };
    this.subscriptions.set(pattern, subscription);
    try {
      await stop;
    } catch (error) {
      if (this.subscriptions.get(pattern) === subscription) {
        if (earlier) this.subscriptions.set(pattern, earlier);
        else this.subscriptions.delete(pattern);
      }
      throw error;
    }
    if (earlier) await end(earlier);
  }

  private async unsubscribe(pattern: string): Promise<void> {
    const subscription = this.subscriptions.get(pattern);
    if (!subscription) throw DeskbusError.of('not_found', 'There is no such subscription.');
    this.subscriptions.delete(pattern);
    await end(subscription);
  }

  private flush(): void {
    if (this.lines.length === 0) return;
    const lines = this.lines;
    this.lines = [];
    this.send(Channel.messages, lines);
  }

  private resume(): void {
    this.paused = false;
    this.client.resume();
  }

  private send(channel: string, value: unknown): void {
    if (!this.contents.isDestroyed()) this.contents.send(channel, value);
  }
}

/** Node 12 has no AbortController. */
class Cancel implements CancelSignal {
  aborted = false;
  private readonly listeners = new Set<() => void>();

  addEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.add(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    this.listeners.delete(listener);
  }

  abort(): void {
    this.aborted = true;
    for (const listener of [...this.listeners]) listener();
  }
}

async function end({ stop }: Subscription): Promise<void> {
  const endIt = await stop;
  await endIt();
}

function isRenewal(refusal: RefusedParams): refusal is RefusedParams & { topic: string } {
  return refusal.method === OPERATIONS.subscribe && refusal.topic !== undefined;
}

function isNumbered(message: object): message is Numbered {
  const { topic, epoch, seq } = message as Record<keyof Numbered, unknown>;
  return typeof topic === 'string' && typeof epoch === 'string' && Number.isSafeInteger(seq);
}

function asPattern(value: unknown): string {
  if (typeof value === 'string') return value;
  throw DeskbusError.of('invalid_params', 'A pattern is a string.');
}

function asWish(params: object): Wish {
  const { mode, sources } = params as { mode?: unknown; sources?: unknown };
  if (mode === 'acknowledged') return { mode };
  if (sources === undefined) return { mode: 'live' };
  if (Array.isArray(sources) && sources.every(isSource)) return { mode: 'live', sources };
  throw DeskbusError.of('invalid_params', 'A source is an app, and one of its clients or none.');
}

function isSource(value: unknown): value is Source {
  const { app, client } = (value ?? {}) as { app?: unknown; client?: unknown };
  return typeof app === 'string' && (client === undefined || typeof client === 'string');
}
