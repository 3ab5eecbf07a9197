import { connect as connectSocket, type Socket } from 'net';
import {
  PROTOCOL_VERSION,
  type AskParams,
  type GapParams,
  type OpenResult,
  type PermissionResult,
  type PublishParams,
  type PublishResult,
  type QueryPermissionParams,
  type RefusedParams,
  type RequestParams,
  type RequestResult,
  type SendParams,
  type SendResult,
} from '../generated/protocol';
import { Acknowledgements, type Numbered } from './acknowledgements';
import { Backoff } from './backoff';
import { asDeskbusError, DeskbusError } from './error';
import { Emitter } from './emitter';
import {
  Link,
  toJson,
  type BackendMethod,
  type CallOptions,
  type Handler,
  type Params,
  type Result,
} from './link';
import type { Message } from './message';
import { answerWith, type Responder } from './responder';
import {
  Subscriptions,
  type Listener,
  type Mode,
  type Stop,
  type SubscribeOptions,
} from './subscriptions';

export type ConnectionState = 'connecting' | 'open' | 'closed';
export type PublishOptions = Pick<PublishParams, 'headers' | 'ttl' | 'priority' | 'correlationId'>;
/** With `durable` a publish is answered after the message is on disk. */
export type ConfirmOptions = PublishOptions & Pick<PublishParams, 'durable'> & { confirm: true };
export type RequestOptions = Pick<RequestParams, 'app' | 'headers' | 'correlationId' | 'timeout'>;
export type SendOptions = Pick<SendParams, 'client' | 'headers' | 'correlationId'>;

export interface ClientEvents {
  state: ConnectionState;
  /** Publishes without confirmation, or renewed subscriptions, that the backend refused. */
  refused: RefusedParams;
  gap: GapParams;
  /** A listener of an acknowledged subscription failed on a message, which will come again. */
  failed: { message: Message; error: unknown };
}

export interface Ticket {
  ticket: string;
  /** Where the pipe is now; after a restart of the backend it may be elsewhere. */
  pipe: string;
}

export interface ClientOptions {
  app: string;
  /** Gets a ticket for each connection. */
  ticketProvider: () => Promise<Ticket>;
  /** Whether to connect again by itself after a loss. */
  reconnects: boolean;
  /** Takes `bus.message` frames unparsed; no listener gets a message then. */
  onMessageLine?: (line: string) => void;
}

const OPEN_LIMIT_MS = 10_000;
const FIRST_RETRY_MS = 250;
const LAST_RETRY_MS = 5_000;
const CLOSE_LIMIT_MS = 1_000;

/** What a socket read last, of any client: it is taken out before the next one reads. */
const arrived = Buffer.allocUnsafeSlow(64 * 1024);

/** One client of one app on the bus. */
export class Client extends Emitter<ClientEvents> {
  readonly app: string;
  readonly permissions = {
    request: (wish: AskParams): Promise<PermissionResult> => this.call('permissions.request', wish),
    query: (wish: QueryPermissionParams): Promise<PermissionResult> =>
      this.call('permissions.query', wish),
  };

  private readonly subscriptions = new Subscriptions({
    subscribe: (pattern, mode) => this.join(pattern, mode),
    unsubscribe: (pattern) => this.leave(pattern),
    acknowledge: (message) => this.acknowledge(message),
    failed: (message, error) => this.tellFailed(message, error),
  });
  private readonly acknowledgements = new Acknowledgements((params) => {
    this.link?.notify('bus.ack', params);
    return this.link !== undefined;
  });
  /** Patterns that the backend may hold for this client with nobody here who listens. */
  private readonly unsettled = new Set<string>();
  private readonly handlers = new Map<string, Handler>();
  private readonly backoff = new Backoff(FIRST_RETRY_MS, LAST_RETRY_MS);
  private link: Link | undefined;
  private socket: Socket | undefined;
  private retry: NodeJS.Timeout | undefined;
  private current: ConnectionState = 'connecting';
  private name = '';
  private run = '';

  constructor(private readonly options: ClientOptions) {
    super();
    this.app = options.app;
  }

  get state(): ConnectionState {
    return this.current;
  }

  /** This client's name on the bus, known once it was connected. */
  get client(): string {
    return this.name;
  }

  /** The backend's run that this client is connected to. */
  get epoch(): string {
    return this.run;
  }

  /** Connects and opens the session; rejects with `DeskbusError`. For the first connection. */
  async open(): Promise<void> {
    try {
      await this.openOnce();
    } catch (error) {
      this.end();
      throw error;
    }
  }

  /** Rejects with the backend's error, timeout, or connection_lost. */
  async call<Name extends BackendMethod>(
    method: Name,
    params: Params<Name>,
    options?: CallOptions,
  ): Promise<Result<Name>> {
    return this.opened().call(method, params, options);
  }

  /** Throws connection_lost while there is no connection. */
  notify<Name extends BackendMethod>(method: Name, params: Params<Name>): void {
    this.opened().notify(method, params);
  }

  /**
   * Publishes without waiting; a refusal comes as the event `refused`.
   *
   * Returns whether more may follow at once; where it is false, await `drained()` first. Throws
   * connection_lost while there is no connection. With `confirm` it resolves when the message is
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
      return this.call('bus.publish', { topic, payload: payload ?? null, ...members });
    }
    const link = this.opened();
    link.publish(topic, toJson(payload), options ? publishMembers(options) : '');
    return !link.full;
  }

  /** Resolves when what was published is written, as far as a sender should wait for it. */
  async drained(): Promise<void> {
    await this.opened().drained();
  }

  /** Resolves, once the subscription stands, with a function that ends it. */
  subscribe(pattern: string, listener: Listener, options: SubscribeOptions = {}): Promise<Stop> {
    return this.subscriptions.add(pattern, listener, options.mode);
  }

  /** Says that a message need not come again; done by itself where a listener gets messages. */
  acknowledge(message: Numbered): void {
    this.acknowledgements.add(message);
  }

  /** Asks the topic's subscribers; resolves with the first answer. */
  request(topic: string, payload: unknown, options: RequestOptions = {}): Promise<RequestResult> {
    return this.call('bus.request', { topic, payload: payload ?? null, ...options });
  }

  /** Answers the requests on a topic or pattern with what `responder` returns. */
  respondTo(pattern: string, responder: Responder): Promise<Stop> {
    return this.subscribe(pattern, (message) => {
      void answerWith(responder, message, (params) => this.call('bus.respond', params));
    });
  }

  /** Sends to the clients of one app that subscribed to the topic. */
  send(
    app: string,
    topic: string,
    payload: unknown,
    options: SendOptions = {},
  ): Promise<SendResult> {
    return this.call('bus.send', { app, topic, payload: payload ?? null, ...options });
  }

  /** Lets `handler` answer the backend's calls of `method`. */
  handle(method: string, handler: Handler): void {
    this.handlers.set(method, handler);
    this.link?.handle(method, handler);
  }

  /** Stops reading, so that the backend holds back what comes; until `resume`. */
  pause(): void {
    this.socket?.pause();
  }

  resume(): void {
    this.socket?.resume();
  }

  /** Writes what is waiting and ends the connection. */
  async close(): Promise<void> {
    const socket = this.socket;
    this.end();
    if (!socket || socket.destroyed) return;
    await new Promise<void>((resolve) => {
      const limit = setTimeout(() => socket.destroy(), CLOSE_LIMIT_MS);
      socket.once('close', () => {
        clearTimeout(limit);
        resolve();
      });
      socket.end();
    });
  }

  private async openOnce(): Promise<void> {
    this.become('connecting');
    const { ticket, pipe } = await this.options.ticketProvider();
    if (this.state === 'closed') throw DeskbusError.of('connection_lost');
    const link = await this.dial(pipe);
    const { client, epoch, resumed } = await this.openSession(link, ticket);
    this.name = client;
    this.run = epoch;
    this.link = link;
    this.backoff.reset();
    this.acknowledgements.begin(epoch);
    this.settle();
    this.subscriptions.renew(resumed, (pattern, error) => this.keepsRefused(pattern, error));
    this.become('open');
  }

  private async openSession(link: Link, ticket: string): Promise<OpenResult> {
    const resume = this.run !== '';
    const params = { ticket, app: this.app, protocolVersion: PROTOCOL_VERSION, resume };
    try {
      return await link.call('session.open', params, { timeout: OPEN_LIMIT_MS });
    } catch (error) {
      link.close();
      throw error;
    }
  }

  /** Resolves with a link whose loss is this client's. */
  private dial(pipe: string): Promise<Link> {
    return new Promise((resolve, reject) => {
      const onread = {
        buffer: arrived,
        callback: (length: number): boolean => {
          link.feed(arrived.subarray(0, length));
          return true;
        },
      };
      const socket = connectSocket({ path: pipe, onread });
      // In Electron 9's main process the socket may be left unattended until the next timer.
      setTimeout(() => undefined, 1);
      const link: Link = new Link(socket, {
        onMessage: (message) => this.subscriptions.deliver(message),
        ...(this.options.onMessageLine ? { onMessageLine: this.options.onMessageLine } : {}),
        onNotification: (method, params) => this.notice(method, params),
        onClose: () => {
          socket.destroy();
          reject(DeskbusError.of('unavailable', 'The backend does not answer on its pipe.'));
          if (this.link === link) this.lost();
        },
      });
      for (const [method, handler] of this.handlers) link.handle(method, handler);
      this.socket = socket;
      socket.on('end', () => link.close());
      socket.once('connect', () => resolve(link));
    });
  }

  private opened(): Link {
    if (!this.link) throw DeskbusError.of('connection_lost');
    return this.link;
  }

  private lost(): void {
    this.link = undefined;
    if (this.state === 'closed') return;
    if (!this.options.reconnects) {
      this.end();
      return;
    }
    this.become('connecting');
    this.retryLater();
  }

  private retryLater(): void {
    this.retry = setTimeout(() => {
      this.openOnce().catch(() => {
        if (this.state !== 'closed') this.retryLater();
      });
    }, this.backoff.next());
  }

  private end(): void {
    clearTimeout(this.retry);
    this.acknowledgements.flush();
    this.become('closed');
    const link = this.link;
    this.link = undefined;
    link?.flush();
    if (link === undefined) this.socket?.destroy();
    this.socket = undefined;
  }

  private become(state: ConnectionState): void {
    if (this.current === state || this.current === 'closed') return;
    this.current = state;
    this.emit('state', state);
  }

  private notice(method: string, params: unknown): void {
    if (method === 'bus.refused') this.emit('refused', params as RefusedParams);
    else if (method === 'bus.gap') this.emit('gap', params as GapParams);
  }

  private keepsRefused(pattern: string, thrown: unknown): boolean {
    if (isLoss(thrown)) return true;
    const { code, message, action } = asDeskbusError(thrown);
    this.emit('refused', {
      method: 'bus.subscribe',
      code,
      message,
      action,
      count: 1,
      topic: pattern,
    });
    return false;
  }

  private async join(pattern: string, mode: Mode): Promise<void> {
    try {
      await this.call('bus.subscribe', { pattern, mode });
    } catch (error) {
      if (isLoss(error)) this.unsettled.add(pattern);
      throw error;
    }
  }

  /** Without a connection there is nobody to tell, until the backend takes this client up again. */
  private async leave(pattern: string): Promise<void> {
    try {
      await this.call('bus.unsubscribe', { pattern });
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

function isLoss(thrown: unknown): boolean {
  return asDeskbusError(thrown).code === DeskbusError.of('connection_lost').code;
}

function publishMembers({ headers, ttl, priority, correlationId }: PublishOptions): string {
  const members = JSON.stringify({ headers, ttl, priority, correlationId });
  return members === '{}' ? '' : `,${members.slice(1, -1)}`;
}
