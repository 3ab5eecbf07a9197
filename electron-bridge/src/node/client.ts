import { PAYLOAD_MEMBER } from '../generated/constants';
import {
  type AskParams,
  type ClientSpan,
  type ContinuedParams,
  type GapParams,
  type OpenResult,
  type PermissionResult,
  type PermissionsChangedParams,
  type PublishResult,
  type QueryPermissionParams,
  type RefusedParams,
  type RequestResult,
  type SendResult,
  type StopParams,
  type SubscriberParams,
  type SubscriberRemovedParams,
  type TracingTerms,
} from '../generated/protocol';
import { Acknowledgements, type Numbered } from '../common/bus/acknowledgements';
import type { BatchStats } from '../common/bus/batching';
import { CallQueue } from './call-queue';
import { unixMs } from './link/clock';
import { Connection, type ConnectionOptions, type ConnectionState } from './connection';
import { ClientTracer, traceMember, withTrace, type OpenSpan } from '../common/client-tracer';
import { asDeskbusError, DeskbusError, isLoss } from '../common/error';
import { Emitter } from '../common/emitter';
import { AROUND_PAYLOAD, asPayload, checkSize, toJson } from '../common/json';
import type {
  BackendMethod,
  CallArguments,
  CallOptions,
  Handler,
  Link,
  Params,
  Result,
} from './link/link';
import { traceparentOf, type Message } from '../common/bus/message';
import {
  checkUnconfirmed,
  patienceOf,
  publishMembers,
  type Choice,
  type ClientCallOptions,
  type ConfirmOptions,
  type PublishOptions,
  type RequestOptions,
  type SendOptions,
  type WhileClosed,
} from './options';
import { DeliveryProgress } from '../common/bus/progress';
import { answerWith, checkResponder, type Responder } from '../common/bus/responder';
import { SubscriberWatch } from '../common/bus/subscriber-watch';
import {
  Subscriptions,
  type Listener,
  type Stop,
  type SubscribeOptions,
  type Wish,
} from '../common/bus/subscriptions';

/** Calls that lead to nothing, and those that tell of others. */
const UNTRACED = /^(session|traces)\./;

export interface ClientEvents {
  state: ConnectionState;
  /**
   * Publishes without confirmation, or renewed subscriptions, that were refused. `method` is empty
   * where the backend could not read what it was sent.
   */
  refused: RefusedParams;
  gap: GapParams;
  /** The app's permissions have changed. */
  permissions: PermissionsChangedParams;
  /** A listener of an acknowledged subscription failed on a message, which will come again. */
  failed: { message: Message; error: unknown };
  /** The backend asks this app's process to end, and kills it in so many milliseconds. */
  stop: StopParams;
  /** Notifications that are for the desktop page, which gives pages in a browser FDC3's agent. */
  desktop: { method: string; params: unknown };
  /** Told after `watchSubscribers`. */
  subscriberAdded: SubscriberParams;
  subscriberRemoved: SubscriberRemovedParams;
}

export interface ClientOptions extends ConnectionOptions {
  /**
   * The fate of a call or a publish that is made while there is no connection: `refuse`, unless
   * told. At most a thousand are queued, and 16 Mi characters.
   */
  whileClosed?: WhileClosed;
  /** Takes `bus.message` frames unparsed; no listener gets a message then. */
  onMessageLine?: (line: string) => void;
  /** A word before the names of its steps in traces. */
  stepPrefix?: string;
}

/** Parameters as JSON, and what that says. */
export interface JsonParams {
  readonly text: string;
  readonly value: object;
}

export interface CloseOptions {
  keep?: boolean;
}

/** One client of one app on the bus. */
export class Client extends Emitter<ClientEvents> {
  readonly app: string;
  readonly permissions = {
    request: (wish: AskParams): Promise<PermissionResult> => this.call('permissions.request', wish),
    query: (wish: QueryPermissionParams): Promise<PermissionResult> =>
      this.call('permissions.query', wish),
  };

  private readonly subscriptions = new Subscriptions({
    subscribe: (pattern, wish) => this.goOn(pattern, wish),
    unsubscribe: (pattern) => this.leave(pattern),
    acknowledge: (message) => this.acknowledge(message),
    failed: (message, error) => this.tellFailed(message, error),
  });
  private readonly acknowledgements = new Acknowledgements((params) => {
    const { link } = this.connection;
    link?.notify('bus.ack', params);
    return link !== undefined;
  });
  /** Patterns that the backend may hold for this client with nobody here who listens. */
  private readonly unsettled = new Set<string>();
  private readonly queue = new CallQueue();
  private readonly progress = new DeliveryProgress();
  private readonly connection: Connection;
  private watching: Promise<void> = Promise.resolve();
  private watch: SubscriberWatch | undefined;
  private terms: TracingTerms | undefined;
  private tracer: ClientTracer | undefined;
  private name = '';
  private run = '';

  constructor(private readonly options: ClientOptions) {
    super();
    this.app = options.app;
    const { onMessageLine } = options;
    this.connection = new Connection(options, {
      onMessage: (message) => this.deliver(message),
      ...(onMessageLine ? { onMessageLine } : {}),
      onArrival: (message) => this.progress.arrived(message),
      onBlockEnd: () => this.progress.settleLast(),
      onNotification: (method, params) => this.notice(method, params),
      lastSeqs: () => this.progress.lastSeqs(),
      onOpen: (link, opened) => this.begin(link, opened),
      onLost: () => this.progress.lose(),
      onState: (state) => this.tellState(state),
    });
  }

  get state(): ConnectionState {
    return this.connection.state;
  }

  /** This client's name on the bus, known once it was connected. */
  get client(): string {
    return this.name;
  }

  /** Counters of what this client wrote, and of how much of it together. */
  get batches(): BatchStats {
    return { ...this.connection.batches };
  }

  /** The backend's run that this client is connected to. */
  get epoch(): string {
    return this.run;
  }

  /** Connects and opens the session; rejects with `DeskbusError`. For the first connection. */
  open(): Promise<void> {
    return this.connection.open();
  }

  /** Rejects with the backend's error, timeout, connection_lost, or overloaded. */
  async call<Name extends BackendMethod>(
    method: Name,
    ...[given, options = {}]: CallArguments<Name, ClientCallOptions>
  ): Promise<Result<Name>> {
    const params = given ?? {};
    const text = toJson(params);
    return this.ask(method, params, text, options, (link, traced, limits) =>
      link.callWith(method, traced, limits),
    );
  }

  /** As `call`, with the parameters as JSON too, and the result as JSON. */
  async callJson(
    method: BackendMethod,
    { text, value }: JsonParams,
    options: ClientCallOptions = {},
  ): Promise<string> {
    return this.ask(method, value, text, options, (link, traced, limits) =>
      link.callJson(method, traced, limits),
    );
  }

  /** Throws connection_lost while there is no connection. */
  notify<Name extends BackendMethod>(method: Name, params: Params<Name>): void {
    this.opened().notify(method, params);
  }

  /** As `notify`, with the parameters as JSON. */
  notifyJson(method: BackendMethod, text: string): void {
    this.opened().notifyWith(method, text);
  }

  /**
   * Publishes without waiting; a refusal comes as the event `refused`.
   *
   * Returns whether more may follow at once; where it is false, await `drained()` first. While there
   * is no connection it throws connection_lost, or waits as `whileClosed` says. Throws
   * invalid_params for what JSON can't say, too_large, and overloaded where too much waits. With `confirm` it resolves when the message is
   * routed, and with `durable` too, when it is on disk.
   */
  publish(topic: string, payload: unknown, options?: PublishOptions & { confirm?: false }): boolean;
  publish(topic: string, payload: unknown, options: ConfirmOptions): Promise<PublishResult>;
  publish(
    topic: string,
    payload: unknown,
    options?: (PublishOptions & { confirm?: false }) | ConfirmOptions,
  ): boolean | Promise<PublishResult> {
    if (options?.confirm) {
      const members: Partial<ConfirmOptions> = { ...options };
      delete members.confirm;
      return this.choose('bus.publish', { topic, payload: asPayload(payload), ...members });
    }
    if (options) checkUnconfirmed(options);
    const text = toJson(payload, AROUND_PAYLOAD);
    const span = this.beginPublish(topic);
    const traced = span ? `,${traceMember(span)}` : '';
    const rest = (options ? publishMembers(options) : '') + traced;
    span?.end();
    const { link } = this.connection;
    if (!link && this.queues(options)) {
      return this.publishLater(topic, `{"topic":${toJson(topic)}${PAYLOAD_MEMBER}${text}${rest}}`);
    }
    this.opened().publish(topic, text, rest);
    return !link?.full;
  }

  /** As `publish`, with the parameters as JSON. */
  publishJson({ text, value }: JsonParams, choice?: Choice): boolean {
    const { topic, _meta } = value as { topic?: unknown; _meta?: unknown };
    const span = _meta === undefined ? this.beginPublish(String(topic)) : undefined;
    const params = withTrace(text, span);
    span?.end();
    const { link } = this.connection;
    if (!link && this.queues(choice)) return this.publishLater(String(topic), params);
    this.opened().notifyWith('bus.publish', params);
    return !link?.full;
  }

  /** How much of what is said here is to be traced; undefined while the backend traces nothing. */
  get tracing(): TracingTerms | undefined {
    return this.terms;
  }

  /** Runs `work`, which belongs to a step that was taken elsewhere; to none where that is empty. */
  onBehalf<T>(traceparent: string, work: () => T): T {
    return this.tracer ? this.tracer.onBehalf(traceparent, work) : work();
  }

  /** Whether so much is unwritten that a sender should wait for `drained()`. */
  get full(): boolean {
    return this.connection.link?.full === true;
  }

  /** Resolves when what was published is written, as far as a sender should wait for it. */
  async drained(): Promise<void> {
    await this.opened().drained();
  }

  /** Resolves, once the subscription stands, with a function that ends it. */
  subscribe(pattern: string, listener: Listener, options: SubscribeOptions = {}): Promise<Stop> {
    return this.subscriptions.add(pattern, listener, options);
  }

  /** Says that a message need not come again; done by itself where a listener gets messages. */
  acknowledge(message: Numbered): void {
    this.progress.unacknowledged.acknowledged(message);
    this.acknowledgements.add(message);
  }

  /** Asks the topic's subscribers; resolves with the first answer, or rejects when aborted. */
  async request(
    topic: string,
    payload: unknown,
    options: RequestOptions = {},
  ): Promise<RequestResult> {
    return this.choose('bus.request', { topic, payload: asPayload(payload), ...options });
  }

  /** Answers the requests on a topic or pattern with what `handler` returns. */
  async respond(pattern: string, handler: Responder): Promise<Stop> {
    checkResponder(handler);
    return this.subscribe(pattern, (message) => {
      const span = this.tracer?.current;
      void answerWith(handler, message, (params) => {
        const respond = (): Promise<unknown> => this.call('bus.respond', params);
        return this.tracer && span ? this.tracer.within(span, respond) : respond();
      });
    });
  }

  /** @deprecated It is `respond` now. */
  respondTo(pattern: string, handler: Responder): Promise<Stop> {
    return this.respond(pattern, handler);
  }

  /** Sends to the clients of one app that subscribed to the topic. */
  async send(
    app: string,
    topic: string,
    payload: unknown,
    options: SendOptions = {},
  ): Promise<SendResult> {
    return this.choose('bus.send', { app, topic, payload: asPayload(payload), ...options });
  }

  /** Lets `handler` answer the backend's calls of `method`. */
  handle(method: string, handler: Handler): void {
    this.connection.handle(method, handler);
  }

  /** Stops reading, so that the backend holds back what comes; until `resume`. */
  pause(): void {
    this.connection.pause();
  }

  resume(): void {
    this.connection.resume();
  }

  /**
   * Starts the events `subscriberAdded` and `subscriberRemoved`, about what this client may write
   * to; resolves with who is there now.
   */
  async watchSubscribers(): Promise<SubscriberParams[]> {
    if (!this.watch) {
      this.watch = new SubscriberWatch({
        added: (subscriber) => this.emit('subscriberAdded', subscriber),
        removed: (subscriber) => this.emit('subscriberRemoved', subscriber),
      });
      this.watching = this.watchOn(this.watch);
    }
    await this.watching;
    return this.watch.all;
  }

  /**
   * Writes what is waiting and leaves for good: the backend keeps nothing for this client. With
   * `keep` what is published meanwhile waits for the client of this name that opens with `takeUp`,
   * as it does when the connection is lost; that is the default of one that opened so itself.
   */
  close({ keep }: CloseOptions = {}): Promise<void> {
    this.acknowledgements.flush();
    this.tracer?.flush();
    return this.connection.close(keep);
  }

  private begin(link: Link, { client, epoch, resumed, tracing }: OpenResult): void {
    this.terms = tracing;
    const hooks = { now: unixMs, tell: (spans: ClientSpan[]) => this.tellSpans(spans) };
    this.tracer = tracing && new ClientTracer(tracing, hooks);
    this.name = client;
    this.run = epoch;
    const takenUp = this.progress.open(epoch, resumed);
    this.acknowledgements.begin(epoch);
    this.settle();
    this.subscriptions.renew(takenUp, (pattern, error) => this.keepsRefused(pattern, error));
    if (this.watch) {
      this.watching = this.watchOn(this.watch);
      this.watching.catch(() => undefined);
    }
    this.queue.sendAll(link);
  }

  private ask<Answer>(
    method: BackendMethod,
    params: object,
    text: string,
    options: ClientCallOptions,
    make: (link: Link, text: string, limits: CallOptions) => Promise<Answer>,
  ): Promise<Answer> {
    const limits = { ...patienceOf(method, params), ...options };
    const span = this.beginCall(method, params);
    const traced = withTrace(text, span);
    const send = (link: Link, given: CallOptions): Promise<Answer> => make(link, traced, given);
    const answer =
      !this.connection.link && this.queues(options)
        ? this.queue.add(traced, limits, send)
        : send(this.opened(), limits);
    if (span) {
      answer.then(
        () => span.end(),
        (error: unknown) => span.end(asDeskbusError(error).category),
      );
    }
    return answer;
  }

  private beginPublish(topic: string): OpenSpan | undefined {
    const { tracer } = this;
    if (!tracer?.due(topic)) return undefined;
    // A topic that is refused here would be refused again when its step is told, and nobody listens.
    toJson(topic);
    return tracer.begin(this.stepName(`bus.publish ${topic}`), 'producer', topic);
  }

  /** A step for a call, where it is sampled, and does not name its context itself. */
  private beginCall(method: BackendMethod, params: object): OpenSpan | undefined {
    const { tracer } = this;
    const { topic, _meta } = params as { topic?: unknown; _meta?: unknown };
    if (!tracer || _meta !== undefined || UNTRACED.test(method)) return undefined;
    const name = typeof topic === 'string' ? `${method} ${topic}` : method;
    return tracer.begin(
      this.stepName(name),
      'client',
      typeof topic === 'string' ? topic : undefined,
    );
  }

  private stepName(name: string): string {
    const { stepPrefix } = this.options;
    return stepPrefix === undefined ? name : `${stepPrefix} ${name}`;
  }

  /** Lets listeners have a message, as a step of the trace that it carries. */
  private deliver(message: Message): void {
    const { tracer } = this;
    const carried = tracer ? traceparentOf(message) : undefined;
    const { topic } = message;
    const span = carried && tracer?.goOn(carried, `handle ${topic}`, 'consumer', topic);
    if (!tracer || !span) {
      this.subscriptions.deliver(message);
      return;
    }
    tracer.within(span, () => this.subscriptions.deliver(message));
    span.end();
  }

  /** A call whose parameters came with the caller's choice among them. */
  private choose<Name extends BackendMethod>(
    method: Name,
    { whileClosed, signal, ...params }: Params<Name> & Choice & Pick<CallOptions, 'signal'>,
  ): Promise<Result<Name>> {
    const chosen = { ...(whileClosed ? { whileClosed } : {}), ...(signal ? { signal } : {}) };
    return this.call(method, params as unknown as Params<Name>, chosen);
  }

  /** Whether what is said now is to wait for a connection. */
  private queues(choice: Choice | undefined): boolean {
    const { whileClosed = this.options.whileClosed } = choice ?? {};
    return whileClosed === 'queue' && this.state !== 'closed';
  }

  private publishLater(topic: string, params: string): boolean {
    checkSize(params);
    const refuse = (error: unknown): void => {
      this.tellRefused('bus.publish', topic, asDeskbusError(error));
    };
    const send = (link: Link): void => {
      try {
        link.notifyWith('bus.publish', params);
      } catch (error) {
        refuse(error);
      }
    };
    this.queue.post(params.length, send, refuse);
    return true;
  }

  private opened(): Link {
    const { link } = this.connection;
    if (!link) throw DeskbusError.of('connection_lost');
    return link;
  }

  private tellState(state: ConnectionState): void {
    if (state === 'closed') this.queue.refuseAll(DeskbusError.of('connection_lost'));
    this.emit('state', state);
  }

  private async watchOn(watch: SubscriberWatch): Promise<void> {
    try {
      await watch.begin(async () => (await this.call('bus.watchSubscribers', {})).subscribers);
    } catch (error) {
      // The next connection asks again.
      if (isLoss(error)) return;
      this.watch = undefined;
      throw error;
    }
  }

  private notice(method: string, params: unknown): void {
    if (method === 'bus.refused') this.emit('refused', params as RefusedParams);
    else if (method === 'bus.gap') this.tellGap(params as GapParams);
    else if (method === 'bus.continued') this.progress.begin((params as ContinuedParams).pattern);
    else if (method === 'permissions.changed') this.revoked(params as PermissionsChangedParams);
    else if (method === 'apps.stop') this.emit('stop', params as StopParams);
    else if (method === 'bus.subscriberAdded') this.watch?.added(params as SubscriberParams);
    else if (method === 'bus.subscriberRemoved')
      this.watch?.removed(params as SubscriberRemovedParams);
    else if (method.startsWith('desktop.')) this.emit('desktop', { method, params });
  }

  /** Subscriptions that are not permitted any more have ended on the other side. */
  private revoked(changed: PermissionsChangedParams): void {
    this.emit('permissions', changed);
    for (const pattern of changed.closed ?? []) {
      if (!this.subscriptions.has(pattern)) continue;
      this.subscriptions.forget(pattern);
      this.keepsRefused(pattern, DeskbusError.of('permission_revoked'));
    }
  }

  private keepsRefused(pattern: string, thrown: unknown): boolean {
    if (isLoss(thrown)) return true;
    this.progress.leave(pattern);
    this.tellRefused('bus.subscribe', pattern, asDeskbusError(thrown));
    return false;
  }

  private tellSpans(spans: ClientSpan[]): void {
    this.connection.link?.notify('traces.record', { spans });
  }

  private tellRefused(method: string, topic: string, error: DeskbusError): void {
    const { code, message, action } = error;
    this.emit('refused', { method, code, message, action, count: 1, topic });
  }

  private tellGap(gap: GapParams): void {
    const news = this.progress.clip(gap);
    if (news) this.emit('gap', news);
  }

  /** Makes a subscription known, or known again with what came after its last message. */
  private async goOn(pattern: string, wish: Wish): Promise<void> {
    this.progress.unacknowledged.join(pattern, wish.mode === 'acknowledged');
    const behind = this.progress.behind(pattern);
    if (!behind) return this.join(pattern, wish);
    const { mark } = await this.call('bus.continue', { pattern, ...wish, ...behind });
    this.progress.settle(pattern, mark);
  }

  private async join(pattern: string, wish: Wish): Promise<void> {
    const isFirst = this.progress.join(pattern);
    try {
      const { mark } = await this.call('bus.subscribe', { pattern, ...wish });
      this.progress.settle(pattern, mark);
    } catch (error) {
      if (isFirst) this.progress.leave(pattern);
      if (isLoss(error)) this.unsettled.add(pattern);
      throw error;
    }
  }

  /** Without a connection there is nobody to tell, until the backend takes this client up again. */
  private async leave(pattern: string): Promise<void> {
    this.progress.leave(pattern);
    try {
      await this.call('bus.unsubscribe', { pattern }, { whileClosed: 'refuse' });
    } catch (error) {
      if (!isLoss(error)) throw error;
      this.unsettled.add(pattern);
    }
  }

  private settle(): void {
    const patterns = [...this.unsettled];
    this.unsettled.clear();
    for (const pattern of patterns) {
      // There may be no such subscription, which is as well.
      if (!this.subscriptions.has(pattern)) this.leave(pattern).catch(() => undefined);
    }
  }

  private tellFailed(message: Message, error: unknown): void {
    if (this.emit('failed', { message, error })) return;
    const text = `A listener failed on ${message.topic}, whose message will come again`;
    process.emitWarning(`${text}: ${String(error)}`, 'DeskbusWarning');
  }
}
