import { MAX_FRAME_BYTES } from '../generated/constants';
import type { ConnectResult, RefusedParams, Source } from '../generated/protocol';
import type { Client } from '../node/client';
import { asDeskbusError, asFailure, DeskbusError } from '../common/error';
import { isExpected } from '../common/bus/responder';
import type { CancelSignal } from '../node/link/link';
import type { Choice } from '../node/options';
import type { Numbered } from '../common/bus/acknowledgements';
import type { Stop, Wish } from '../common/bus/subscriptions';
import {
  BATCH_CHARACTERS,
  BATCH_LINES,
  isOperation,
  OPERATIONS,
  readPageLine,
  ROOM_CHARACTERS,
  type PageLine,
  type Told,
} from '../ipc/page-lines';
import { parsed, readPageParams, type PageParams } from './page-params';

/** Characters that may lie between here and a page that does not take its messages. */
const PAUSE_CHARACTERS = 4 * 1024 * 1024;
const RESUME_CHARACTERS = 1024 * 1024;
/** The word before the steps of a relay in traces. */
export const BRIDGE_STEPS = 'bridge';
/** The longest text that the client in a page sends: a batch, and one line more. */
const MAX_TEXT_CHARACTERS = BATCH_CHARACTERS + MAX_FRAME_BYTES;

/** A page's way to its connection. `page` is the token of the page that speaks. */
export interface Endpoint {
  begin(page: string): void;
  /** The page can hear: until then Electron would drop what is sent to it. */
  ready(page: string): void;
  lines(page: string, text: string): void;
  taken(page: string, characters: number): void;
}

interface Subscription {
  /** Its wish as JSON. */
  readonly key: string;
  readonly stop: Promise<Stop>;
}

/**
 * Carries a page's lines to its window's connection, and the messages and answers back.
 *
 * Messages and results are passed on unparsed, what comes in one turn together. A page that does not
 * keep up pauses its own connection, and one that says more than the connection takes is told so
 * late that there is room: what is waiting stays bounded. Subscriptions are a page's: they end when
 * the window shows another one, as after a reload.
 */
export class Relay implements Endpoint {
  private readonly subscriptions = new Map<string, Subscription>();
  /** Operations that the page may still cancel. */
  private cancels = new Map<number, Cancel>();
  private page = '';
  private outgoing: string[] = [];
  private characters = 0;
  /** Characters that the page has not taken, and of the page's that it was not told of yet. */
  private waiting = 0;
  private passed = 0;
  private paused = false;
  /** Whether the page wants to know who subscribes. */
  private watches = false;
  /** Whether lines wait until the page can hear, which it can't as early as it speaks. */
  private holds = false;
  /** The topic of the FDC3 agent's messages, once a page has begun with it. */
  private inbox: string | undefined;

  constructor(
    private readonly send: (text: string) => void,
    private readonly client: Client,
  ) {
    client.on('state', (state) => this.tellState(state));
    client.on('refused', (refusal) => {
      if (refusal.topic === this.inbox) this.inbox = undefined;
      // A renewal was refused: to subscribe again has to ask again.
      if (isRenewal(refusal)) this.subscriptions.delete(refusal.topic);
      this.tell('refused', refusal);
    });
    client.on('gap', (gap) => this.tell('gap', gap));
    client.on('permissions', (changed) => this.tell('permissions', changed));
    client.on('subscriberAdded', (added) => this.tellSubscribers({ added }));
    client.on('subscriberRemoved', (removed) => this.tellSubscribers({ removed }));
  }

  begin(page: string): void {
    if (page === this.page) return;
    this.dropPage();
    this.page = page;
    this.holds = true;
    this.tellState(this.client.state);
  }

  lines(page: string, text: string): void {
    this.begin(page);
    const lines = text.length > MAX_TEXT_CHARACTERS ? [] : text.split('\n', BATCH_LINES + 1);
    // The client in a page sends less at once.
    if (lines.length === 0 || lines.length > BATCH_LINES) {
      this.refuse('', DeskbusError.of('too_large'));
    } else {
      for (const line of lines) {
        const read = readPageLine(line);
        if (read) this.hear(read);
        else this.refuse('', DeskbusError.of('invalid_request'));
      }
    }
    this.passed += text.length;
    if (this.passed >= ROOM_CHARACTERS) this.giveRoom();
  }

  taken(page: string, characters: number): void {
    if (page !== this.page) return;
    this.waiting = Math.max(0, this.waiting - characters);
    if (this.paused && this.waiting < RESUME_CHARACTERS) this.resume();
  }

  /** Takes a `bus.message` frame from the connection. */
  message(frame: string): void {
    if (this.page !== '') this.write(frame);
  }

  /** The page can hear. */
  ready(page: string): void {
    this.begin(page);
    this.holds = false;
    this.flush();
  }

  /** The page is gone: ends its subscriptions and forgets what waits for it. */
  dropPage(): void {
    this.page = '';
    this.cancels = new Map();
    this.outgoing = [];
    this.characters = 0;
    this.waiting = 0;
    this.passed = 0;
    this.watches = false;
    if (this.inbox !== undefined) this.client.call('fdc3.disconnect', {}).catch(() => undefined);
    if (this.paused) this.resume();
    for (const subscription of this.subscriptions.values()) {
      end(subscription).catch(() => undefined);
    }
    this.subscriptions.clear();
  }

  private hear(line: PageLine): void {
    const { number, word } = line;
    if (number > 0 && word === 'cancel') this.cancels.get(number)?.abort();
    else if (number > 0) void this.call(line);
    else if (word === 'publish') this.publish(line);
    else if (word === 'respond') void this.respond(line);
    else if (word === 'acknowledge') this.acknowledge(line);
    else if (word === 'trace') this.record(line);
    else this.refuse('', DeskbusError.of('invalid_request'));
  }

  private async call(line: PageLine): Promise<void> {
    const { page } = this;
    const { number } = line;
    const cancel = new Cancel();
    this.cancels.set(number, cancel);
    let reply: string;
    try {
      const perform = (): Promise<string> => this.perform(line, cancel);
      reply = `{"result":${await this.client.onBehalf(line.traceparent, perform)}}`;
    } catch (error) {
      reply = JSON.stringify({ error: asFailure(asDeskbusError(error)) });
    }
    if (this.cancels.get(number) === cancel) this.cancels.delete(number);
    if (page === this.page) this.write(`${number} ${reply}`);
  }

  private publish({ json, queues, traceparent }: PageLine): void {
    let topic: unknown;
    try {
      const params = readPageParams(json);
      ({ topic } = params.value);
      const publish = (): boolean => this.client.publishJson(params, choiceOf(queues));
      this.client.onBehalf(traceparent, publish);
    } catch (error) {
      this.refuse(OPERATIONS.publish, error, topic);
    }
  }

  private async respond({ json, traceparent }: PageLine): Promise<void> {
    try {
      const params = readPageParams(json);
      const respond = (): Promise<string> => this.client.callJson(OPERATIONS.respond, params);
      await this.client.onBehalf(traceparent, respond);
    } catch (error) {
      if (!isExpected(error)) this.refuse(OPERATIONS.respond, error);
    }
  }

  private acknowledge({ json }: PageLine): void {
    try {
      const messages = parsed(json);
      if (!Array.isArray(messages)) throw DeskbusError.of('invalid_params');
      for (const message of messages) if (isNumbered(message)) this.client.acknowledge(message);
    } catch (error) {
      this.refuse('bus.ack', error);
    }
  }

  /** Tells the backend of steps that the page has taken. */
  private record({ json }: PageLine): void {
    // Nobody misses them while there is no connection.
    if (this.client.state !== 'open') return;
    try {
      this.client.notifyJson('traces.record', readPageParams(json).text);
    } catch (error) {
      this.refuse('traces.record', error);
    }
  }

  private refuse(method: string, error: unknown, topic?: unknown): void {
    // A page that takes nothing is told no more, so that what waits for it stays bounded.
    if (this.paused) return;
    const { code, message, action } = asDeskbusError(error);
    const about = typeof topic === 'string' ? { method, topic } : { method };
    this.tell('refused', { ...about, code, message, action, count: 1 });
  }

  /** The result as JSON. */
  private async perform({ word, json, queues }: PageLine, signal: CancelSignal): Promise<string> {
    if (!isOperation(word)) throw DeskbusError.of('method_not_found');
    const params = readPageParams(json);
    switch (word) {
      case 'subscribe':
        await this.subscribe(patternOf(params), asWish(params.value));
        return '{}';
      case 'watch':
        await this.watch();
        return '{}';
      case 'fdc3.connect':
        return this.connectFdc3(params);
      case 'unsubscribe':
        await this.unsubscribe(patternOf(params));
        return '{}';
      default:
        // The backend checks what is in it against the method's schema.
        return this.client.callJson(OPERATIONS[word], params, { signal, ...choiceOf(queues) });
    }
  }

  /** The inbox is the window's own, and outlives its pages. */
  private async connectFdc3(params: PageParams): Promise<string> {
    const result = await this.client.callJson('fdc3.connect', params);
    const { inbox } = JSON.parse(result) as ConnectResult;
    if (this.inbox !== inbox) {
      await this.client.subscribe(inbox, () => undefined, { mode: 'live' });
      this.inbox = inbox;
    }
    return result;
  }

  private async watch(): Promise<void> {
    const { page } = this;
    const all = await this.client.watchSubscribers();
    if (page !== this.page) return;
    this.watches = true;
    this.tellSubscribers({ all });
  }

  private tellSubscribers(word: Told['subscribers']): void {
    if (this.watches) this.tell('subscribers', word);
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

  /** The page may say more once the connection took what it said. */
  private giveRoom(): void {
    const { page, passed } = this;
    this.passed = 0;
    const tell = (): void => {
      if (page === this.page) this.tell('room', passed);
    };
    if (this.client.full) this.client.drained().then(tell, tell);
    else tell();
  }

  private resume(): void {
    this.paused = false;
    this.client.resume();
  }

  private tellState(state: Told['state']): void {
    this.tell('state', state);
    // The terms are those of the connection that stands.
    if (state === 'open') this.tell('tracing', this.client.tracing ?? null);
  }

  private tell<Event extends keyof Told>(event: Event, value: Told[Event]): void {
    if (this.page !== '') this.write(`${event} ${JSON.stringify(value)}`);
  }

  private write(line: string): void {
    if (this.outgoing.length === 0) queueMicrotask(() => this.flush());
    this.outgoing.push(line);
    this.characters += line.length + 1;
    if (this.characters >= BATCH_CHARACTERS) this.flush();
  }

  /** Sends what came in one turn, a long turn's in pieces. */
  private flush(): void {
    if (this.outgoing.length === 0 || this.holds) return;
    const text = this.outgoing.join('\n');
    this.outgoing = [];
    this.characters = 0;
    this.send(text);
    this.waiting += text.length;
    if (!this.paused && this.waiting > PAUSE_CHARACTERS) {
      this.paused = true;
      this.client.pause();
    }
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

function isNumbered(message: unknown): message is Numbered {
  const { topic, epoch, seq } = (message ?? {}) as Record<keyof Numbered, unknown>;
  return typeof topic === 'string' && typeof epoch === 'string' && Number.isSafeInteger(seq);
}

function choiceOf(queues: boolean): Choice {
  return queues ? { whileClosed: 'queue' } : {};
}

function patternOf({ value: { pattern } }: PageParams): string {
  if (typeof pattern === 'string') return pattern;
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
