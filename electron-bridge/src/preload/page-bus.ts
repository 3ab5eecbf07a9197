import { ipcRenderer } from 'electron';
import { MESSAGE_HEAD } from '../generated/constants';
import type { RequestResult } from '../generated/protocol';
import {
  Channel,
  OPERATIONS,
  type Operation,
  type Reply,
  type SubscriberWord,
} from '../ipc/operations';
import type { Numbered } from '../common/acknowledgements';
import { Emitter } from '../common/emitter';
import { asDeskbusError, asFailure } from '../common/error';
import { plainCopy } from '../common/json';
import { answerWith } from '../common/responder';
import { Subscriptions, type SubscribeOptions } from '../common/subscriptions';
import { throwLater } from '../common/uncaught';
import { failure } from './failure';
import type {
  ConnectionState,
  Gap,
  Listener,
  Message,
  PublishOptions,
  Refused,
  Responder,
  Stop,
  PermissionChange,
} from './api';

interface Signals {
  state: ConnectionState;
  refused: Refused;
  gap: Gap;
  permissions: PermissionChange;
  subscribers: SubscriberWord;
}

/** A page's end of the bus: its calls to the main process, and what comes from there. */
export class PageBus extends Emitter<Signals> {
  // A page speaks under a token of its own, so that what an earlier page of this window left
  // behind is told apart from it.
  readonly page = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  private readonly subscriptions = new Subscriptions<Message>({
    subscribe: (pattern, wish) => this.call('subscribe', { pattern, ...wish }),
    unsubscribe: (pattern) => this.call('unsubscribe', { pattern }),
    acknowledge: (message) => this.acknowledge(message),
    failed: (_message, error) => throwLater(error),
  });
  // A window connects before it loads its page.
  private connection: ConnectionState = 'open';
  /** Publishes of one turn cross to main together; so do acknowledgements. */
  private posts: object[] = [];
  private taken: Numbered[] = [];

  /** `app` and `client` are who this window is on the bus. */
  constructor(
    readonly app: string,
    readonly client: string,
  ) {
    super();
  }

  get state(): ConnectionState {
    return this.connection;
  }

  /** Starts to hear the main process, and tells it that there is a page. */
  begin(): void {
    ipcRenderer.on(Channel.state, (_event, state: ConnectionState) => {
      this.connection = state;
      this.emit('state', state);
    });
    ipcRenderer.on(Channel.refused, (_event, refusal: Refused) => {
      if (refusal.method === OPERATIONS.subscribe && refusal.topic !== undefined) {
        this.subscriptions.forget(refusal.topic);
      }
      this.emit('refused', refusal);
    });
    ipcRenderer.on(Channel.gap, (_event, gap: Gap) => this.emit('gap', gap));
    ipcRenderer.on(Channel.permissions, (_event, changed: PermissionChange) =>
      this.emit('permissions', changed),
    );
    ipcRenderer.on(Channel.subscribers, (_event, word: SubscriberWord) => {
      this.emit('subscribers', word);
    });
    ipcRenderer.on(Channel.messages, (_event, lines: string[]) => this.takeMessages(lines));
    ipcRenderer.send(Channel.page, this.page);
  }

  async call(operation: Operation, given: object): Promise<unknown> {
    const { cancel, ...rest } = given as { cancel?: number };
    const params = sendable(rest);
    this.flushPosts();
    const reply = (await ipcRenderer.invoke(Channel.call, this.page, operation, params, cancel)) as
      Reply | undefined;
    if (!reply) {
      const words = 'Only the top frame of an app window may use the bus.';
      throw failure('permission_denied', words);
    }
    // A plain object crosses the bridge as it is, an Error would lose its code and action.
    if ('error' in reply) throw reply.error as unknown as Error;
    return reply.result;
  }

  /** Ends a call that was made with this number among its options, as `cancel`. */
  cancel(number: number): void {
    ipcRenderer.send(Channel.cancel, this.page, number);
  }

  publish(
    topic: string,
    payload: unknown,
    options: PublishOptions & { confirm?: boolean } = {},
  ): Promise<unknown> | undefined {
    const { confirm, ...rest } = options;
    if (confirm) return this.call('publish', { topic, payload, ...rest });
    if ((rest as { durable?: unknown }).durable === true) {
      throw failure('invalid_params', 'A durable publish needs confirm.');
    }
    this.post(topic, payload, rest);
    return undefined;
  }

  /**
   * Publishes without waiting. Throws a failure: invalid_params for what JSON can't say, and
   * connection_lost while there is no connection, unless the publish is to wait.
   */
  post(topic: string, payload: unknown, options: PublishOptions = {}): void {
    const params = sendable({ topic, payload, ...options });
    if (this.connection !== 'open' && options.whileClosed !== 'queue') {
      throw failure('connection_lost');
    }
    if (this.posts.length === 0) queueMicrotask(() => this.flushPosts());
    this.posts.push(params);
  }

  /** Sends what was published; for when there is no later, as the page goes away. */
  flushPosts(): void {
    if (this.posts.length === 0) return;
    const { posts } = this;
    this.posts = [];
    ipcRenderer.send(Channel.post, this.page, posts);
  }

  subscribe(pattern: string, listener: Listener, options: SubscribeOptions = {}): Promise<Stop> {
    return this.subscriptions.add(pattern, listener, options);
  }

  respond(pattern: string, handler: Responder): Promise<Stop> {
    return this.subscribe(pattern, (message) => this.answer(message, handler));
  }

  /** Answers one message that asks for it. */
  answer(message: Message, handler: Responder): void {
    void answerWith(handler, message, (params) => this.call('respond', params));
  }

  request(topic: string, payload: unknown, options: object = {}): Promise<RequestResult> {
    return this.call('request', { topic, payload, ...options }) as Promise<RequestResult>;
  }

  send(app: string, topic: string, payload: unknown, options: object = {}): Promise<unknown> {
    return this.call('send', { app, topic, payload, ...options });
  }

  private acknowledge({ topic, epoch, seq }: Message): void {
    if (this.taken.length === 0) queueMicrotask(() => this.flushTaken());
    this.taken.push({ topic, epoch, seq });
  }

  private flushTaken(): void {
    const { taken } = this;
    this.taken = [];
    ipcRenderer.send(Channel.acknowledge, this.page, taken);
  }

  private takeMessages(lines: string[]): void {
    let characters = 0;
    for (const line of lines) {
      characters += line.length;
      this.subscriptions.deliver(JSON.parse(line.slice(MESSAGE_HEAD.length, -1)) as Message);
    }
    ipcRenderer.send(Channel.taken, this.page, characters);
  }
}

/** Parameters as they cross to the main process. Throws a failure for what JSON can't say. */
function sendable(params: object): object {
  try {
    const { payload, ...rest } = params as { payload?: unknown };
    const copy = plainCopy(rest) as object;
    return 'payload' in params ? { ...copy, payload: plainCopy(payload) } : copy;
  } catch (error) {
    throw asFailure(asDeskbusError(error)) as unknown as Error;
  }
}
