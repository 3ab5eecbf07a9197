import { FDC3_AGENT_APP, FDC3_INBOX_TOPICS, PAYLOAD_MEMBER } from '../generated/constants';
import type { ClientSpan, RequestResult } from '../generated/protocol';
import { OPERATIONS, type Operation, type SubscriberWord, type Told } from '../ipc/page-lines';
import type { Numbered } from '../common/bus/acknowledgements';
import { ClientTracer, type OpenSpan } from '../common/client-tracer';
import { Emitter } from '../common/emitter';
import { asDeskbusError } from '../common/error';
import { toJson, wholeJson } from '../common/json';
import { answerWith, checkResponder } from '../common/bus/responder';
import { Subscriptions, type SubscribeOptions } from '../common/bus/subscriptions';
import { throwLater } from '../common/uncaught';
import { failure } from './failure';
import { PageLink, type PageStats, type Pipe } from './link';
import type { BatchOptions } from '../common/bus/batching';
import type {
  CallOptions,
  ConnectionState,
  Gap,
  Listener,
  Message,
  PermissionChange,
  PublishOptions,
  Refused,
  Responder,
  Stop,
} from './api';

interface Signals {
  state: ConnectionState;
  refused: Refused;
  gap: Gap;
  permissions: PermissionChange;
  subscribers: SubscriberWord;
  /** A message of FDC3's agent. */
  fdc3: unknown;
  /** The agent knows nothing of this page any more. */
  fdc3Lost: undefined;
}

/** Unix milliseconds, of a clock that never steps. */
const NOW = (): number => performance.timeOrigin + performance.now();

type Confirmable = PublishOptions & CallOptions & { confirm?: boolean; durable?: boolean };
/** Options of a call, and parameters of its method. */
type AskOptions = CallOptions & Record<string, unknown>;

/** A page's end of the bus, in the page's own world: its calls to main, and what comes from there. */
export class PageBus extends Emitter<Signals> {
  /** Tells this page from every other one. */
  readonly page = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  private readonly subscriptions = new Subscriptions<Message>({
    subscribe: (pattern, wish) => this.call('subscribe', { pattern, ...wish }),
    unsubscribe: (pattern) => this.call('unsubscribe', { pattern }),
    acknowledge: (message) => this.acknowledge(message),
    failed: (_message, error) => throwLater(error),
  });
  private readonly link: PageLink;
  // A window connects before it loads its page.
  private connection: ConnectionState = 'open';
  /** There while the backend traces. */
  private tracer: ClientTracer | undefined;
  /** Messages that were taken in this turn. */
  private taken: Numbered[] = [];

  /** `app` and `client` are who this window is on the bus. */
  constructor(
    readonly app: string,
    readonly client: string,
    pipe: Pipe,
  ) {
    super();
    this.link = new PageLink(pipe, {
      message: (message) => this.deliver(message),
      told: (event, value) => this.hear(event, value),
    });
  }

  get state(): ConnectionState {
    return this.connection;
  }

  get stats(): PageStats {
    return this.link.stats;
  }

  setBatching(options: BatchOptions): void {
    this.link.batching.set(options);
  }

  call(operation: Operation, params: object, options: CallOptions = {}): Promise<unknown> {
    return this.callWith(operation, params, options, () => toJson(params));
  }

  /** Throws invalid_params for what JSON can't say, connection_lost, too_large, overloaded. */
  publish(topic: string, payload: unknown, options: Confirmable = {}): unknown {
    const { confirm, ...rest } = options;
    if (confirm) return this.say('publish', { topic }, payload, rest);
    if (rest.durable === true) throw failure('invalid_params', 'A durable publish needs confirm.');
    return this.post(topic, payload, rest);
  }

  /** Publishes without waiting; returns whether there is room for more. */
  post(topic: string, payload: unknown, options: PublishOptions = {}): boolean {
    const { whileClosed, ...rest } = options;
    const json = paramsOf({ topic }, payload, rest);
    const queues = whileClosed === 'queue';
    if (this.connection !== 'open' && !queues) throw failure('connection_lost');
    const span = this.tracer?.due(topic) ? this.beginPublish(topic, rest) : undefined;
    span?.end();
    return this.link.post('publish', json, { queues, traceparent: span?.traceparent });
  }

  /** Resolves when there is room for more; rejects with connection_lost. */
  async ready(): Promise<void> {
    if (this.connection !== 'open') throw failure('connection_lost');
    await this.link.ready();
  }

  /** The page goes away: what was said is sent at once. */
  leave(): void {
    this.tracer?.flush();
    this.link.leave();
  }

  subscribe(pattern: string, listener: Listener, options: SubscribeOptions = {}): Promise<Stop> {
    return this.subscriptions.add(pattern, listener, options);
  }

  async respond(pattern: string, handler: Responder): Promise<Stop> {
    checkResponder(handler);
    return this.subscribe(pattern, (message) => this.answer(message, handler));
  }

  /** Answers one message that asks for it. */
  answer(message: Message, handler: Responder): void {
    const handling = this.tracer?.current;
    void answerWith(handler, message, ({ payload, ...rest }) => {
      const json = 'error' in rest ? toJson(rest) : paramsOf(rest, payload, {});
      // Nobody waits for what becomes of an answer; main tells of one that is refused.
      const span = handling && this.tracer?.goOn(handling.traceparent, 'bus.respond', 'client');
      this.link.post('respond', json, { traceparent: span?.traceparent });
      span?.end();
      return Promise.resolve();
    });
  }

  request(topic: string, payload: unknown, options: AskOptions = {}): Promise<RequestResult> {
    return this.say('request', { topic }, payload, options) as Promise<RequestResult>;
  }

  send(app: string, topic: string, payload: unknown, options: AskOptions = {}): Promise<unknown> {
    return this.say('send', { app, topic }, payload, options);
  }

  /** A call that has a payload. */
  private say(
    operation: Operation,
    members: object,
    payload: unknown,
    options: AskOptions = {},
  ): Promise<unknown> {
    const rest = { ...options, whileClosed: undefined, signal: undefined };
    const params = { ...options, ...members };
    return this.callWith(operation, params, options, () => paramsOf(members, payload, rest));
  }

  /** Rejects with what `write` throws, too. */
  private async callWith(
    operation: Operation,
    params: object,
    { whileClosed, signal }: CallOptions,
    write: () => string,
  ): Promise<unknown> {
    const json = write();
    const span = this.tracer && this.beginCall(operation, params);
    const traceparent = span?.traceparent;
    const queues = whileClosed === 'queue';
    try {
      const result = await this.link.call(operation, json, { queues, signal, traceparent });
      span?.end();
      return result;
    } catch (error) {
      span?.end(asDeskbusError(error).category);
      throw error;
    }
  }

  private beginPublish(topic: string, options: object): OpenSpan | undefined {
    if ('_meta' in options) return undefined;
    return this.tracer?.begin(`${OPERATIONS.publish} ${topic}`, 'producer', topic);
  }

  /** A step for a call, unless the page names its context itself. */
  private beginCall(operation: Operation, params: object): OpenSpan | undefined {
    if ('_meta' in params) return undefined;
    const { topic } = params as { topic?: unknown };
    const method = OPERATIONS[operation];
    if (typeof topic !== 'string') return this.tracer?.begin(method, 'client');
    return this.tracer?.begin(`${method} ${topic}`, 'client', topic);
  }

  private deliver(message: Message): void {
    if (!isInbox(message.topic)) this.handle(message);
    else if (message.sender.app === FDC3_AGENT_APP) this.emit('fdc3', message.payload);
  }

  /** Lets listeners have a message, as a step of the trace that it carries. */
  private handle(message: Message): void {
    const { tracer } = this;
    const { topic } = message;
    const carried = tracer && message._meta?.traceparent;
    const span = carried && tracer.goOn(carried, `handle ${topic}`, 'consumer', topic);
    if (!tracer || !span) {
      this.subscriptions.deliver(message);
      return;
    }
    tracer.within(span, () => this.subscriptions.deliver(message));
    span.end();
  }

  private traceAs(terms: Told['tracing']): void {
    this.tracer?.flush();
    const tell = (spans: ClientSpan[]): void => {
      this.link.post('trace', toJson({ spans }));
    };
    this.tracer = terms ? new ClientTracer(terms, { now: NOW, tell }) : undefined;
  }

  private acknowledge({ topic, epoch, seq }: Message): void {
    if (this.taken.length === 0) queueMicrotask(() => this.flushTaken());
    this.taken.push({ topic, epoch, seq });
  }

  private flushTaken(): void {
    this.link.post('acknowledge', JSON.stringify(this.taken));
    this.taken = [];
  }

  private hear<Event extends keyof Told>(event: Event, value: Told[Event]): void {
    switch (event) {
      case 'state':
        this.connection = value as ConnectionState;
        if (value !== 'open') this.link.lose();
        break;
      case 'tracing':
        this.traceAs(value as Told['tracing']);
        return;
      case 'refused': {
        // A renewal was refused: to subscribe again has to ask again.
        const { method, topic } = value as Refused;
        if (topic !== undefined && isInbox(topic)) {
          this.emit('fdc3Lost', undefined);
          return;
        }
        if (method === OPERATIONS.subscribe && topic !== undefined) {
          this.subscriptions.forget(topic);
        }
        break;
      }
      default:
    }
    this.emit(event as keyof Signals, value);
  }
}

function isInbox(topic: string): boolean {
  return topic.startsWith(`${FDC3_INBOX_TOPICS}.`);
}

/** Parameters with a payload, as JSON. Throws `DeskbusError` (invalid_params). */
function paramsOf(members: object, payload: unknown, options: object): string {
  const head = toJson(members);
  const rest = toJson(options);
  const tail = rest === '{}' ? '}' : `,${rest.slice(1)}`;
  return `${head.slice(0, -1)}${PAYLOAD_MEMBER}${wholeJson(payload)}${tail}`;
}
