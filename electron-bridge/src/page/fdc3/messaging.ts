import { AbstractMessaging, type RegisterableListener } from '@finos/fdc3-agent-proxy';
import { AgentError, ResultError, type AppIdentifier } from '@finos/fdc3-standard';
import type {
  AgentResponseMessage,
  AppRequestMessage,
  IntentEvent,
  WebConnectionProtocol6Goodbye,
} from '@finos/fdc3-schema/dist/generated/api/BrowserTypes';
import type { Context } from '@finos/fdc3-context';
import { throwLater } from '../../common/uncaught';
import type { PageBus } from '../bus';
import { newUuid } from './uuid';

interface Incoming {
  type: string;
  meta: { requestUuid?: string };
  payload: { error?: string; resultMetadata?: object };
}

interface Shared {
  context: Context;
  originatingApp?: AppIdentifier;
  metadata?: object;
}

interface Carried {
  context?: Context | null;
}

type ContextListener = RegisterableListener & {
  handler(context: Context, metadata: object): void;
};

/** The result of an intent, where it is an error, and its metadata (FDC3 3.0), where it is none. */
interface Outcome {
  reject(error: Error): void;
  tell(metadata: object): void;
}

interface Exchange {
  readonly type: string;
  settle(answer: Incoming): void;
}

/**
 * The messages between a page and the agent, each in a task of its own: so whatever follows from
 * one of them, such as a listener that is now known, is there when the next comes.
 */
export class BridgeMessaging extends AbstractMessaging {
  /** The event that is being handed to an intent's handler. */
  handling: IntentEvent | undefined;
  private readonly listeners = new Map<string, RegisterableListener>();
  private readonly exchanges = new Map<string, Exchange>();
  private readonly results = new Map<string, Outcome>();
  /** Metadata that the page gave with a context (FDC3 3.0), by that very object. */
  private readonly given = new WeakMap<object, object>();
  private readonly queue: Incoming[] = [];
  private readonly turn = new MessageChannel();

  private identity: AppIdentifier = { appId: '' };

  constructor(private readonly bus: PageBus) {
    super({ appId: '' });
    bus.on('fdc3', (message) => {
      this.queue.push(message as Incoming);
      this.turn.port2.postMessage(null);
    });
    this.turn.port1.onmessage = () => {
      const next = this.queue.shift();
      if (next !== undefined) this.take(next);
    };
  }

  /** The agent knows the page as this. */
  begin({ appId, instanceId }: { appId: string; instanceId: string }): void {
    this.identity = { appId, instanceId };
  }

  override getAppIdentifier(): AppIdentifier {
    return this.identity;
  }

  createUUID(): string {
    return newUuid();
  }

  createMeta(): AppRequestMessage['meta'] {
    return {
      requestUuid: this.createUUID(),
      timestamp: new Date(),
      source: this.getAppIdentifier(),
    };
  }

  /** The context, for one request, which takes the page's own metadata along. */
  carrying<Shared extends Context | null | undefined>(context: Shared, metadata: unknown): Shared {
    if (!context || typeof metadata !== 'object' || metadata === null) return context;
    const copy = { ...context };
    this.given.set(copy, metadata);
    return copy;
  }

  async post(message: AppRequestMessage | WebConnectionProtocol6Goodbye): Promise<void> {
    await this.bus.call('fdc3.send', { message });
  }

  register(listener: RegisterableListener): void {
    if (listener.id !== null) this.listeners.set(listener.id, listener);
  }

  unregister(id: string): void {
    this.listeners.delete(id);
  }

  /** The agent has forgotten what was raised: nobody is left waiting for its results. */
  dropResults(): void {
    const lost = new Error(ResultError.ApiTimeout);
    for (const outcome of this.results.values()) outcome.reject(lost);
    this.results.clear();
  }

  /** Listeners that the agent has to be told of again, where it has forgotten them. */
  takeListeners(): RegisterableListener[] {
    const all = [...this.listeners.values()];
    this.listeners.clear();
    return all;
  }

  /**
   * Beside the result of an intent: `failed` rejects with the error that it is, else it never
   * settles; `metadata` is that of FDC3 3.0.
   */
  resultOf(requestUuid: string): { failed: Promise<never>; metadata: Promise<object> } {
    let reject: Outcome['reject'] = () => undefined;
    let tell: Outcome['tell'] = () => undefined;
    const failed = new Promise<never>((_resolve, refuse) => (reject = refuse));
    const told = new Promise<object>((resolve) => (tell = resolve));
    this.results.set(requestUuid, { reject, tell });
    const metadata = Promise.race([told, failed]);
    metadata.catch(() => undefined);
    return { failed, metadata };
  }

  /**
   * The answer to a request. Its time begins when nobody has to be asked any more: a person who
   * looks at a dialog is no agent that is silent.
   */
  override async exchange<X extends AgentResponseMessage>(
    message: AppRequestMessage,
    expectedTypeName: AgentResponseMessage['type'],
    timeoutMs: number,
  ): Promise<X> {
    const { requestUuid } = message.meta;
    this.complete(message.payload);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const answer = new Promise<Incoming>((resolve, reject) => {
      this.exchanges.set(requestUuid, { type: expectedTypeName, settle: resolve });
      const late = (): void => reject(new Error(AgentError.ApiTimeout));
      this.post(message).then(() => {
        timer = setTimeout(late, timeoutMs);
      }, late);
    });
    try {
      const { payload, ...rest } = await answer;
      if (payload.error !== undefined) throw new Error(payload.error);
      return { ...rest, payload } as unknown as X;
    } finally {
      clearTimeout(timer);
      this.exchanges.delete(requestUuid);
    }
  }

  private complete(payload: object): void {
    const { context, intentResult } = payload as Carried & { intentResult?: Carried };
    const carried = context ?? intentResult?.context;
    const metadata = carried ? this.given.get(carried) : undefined;
    if (metadata) Object.assign(payload, { metadata });
  }

  disconnect(): Promise<void> {
    return Promise.resolve();
  }

  private take(message: Incoming): void {
    const { requestUuid } = message.meta;
    const exchange = requestUuid === undefined ? undefined : this.exchanges.get(requestUuid);
    if (exchange?.type === message.type) {
      exchange.settle(message);
      return;
    }
    if (message.type === 'raiseIntentResultResponse' && requestUuid !== undefined) {
      const outcome = this.results.get(requestUuid);
      this.results.delete(requestUuid);
      const { error, resultMetadata = {} } = message.payload;
      if (error !== undefined) {
        this.dropWaiters(message);
        outcome?.reject(new Error(error));
        return;
      }
      outcome?.tell(resultMetadata);
    }
    this.tell(message as unknown as IntentEvent);
  }

  private tell(message: IntentEvent): void {
    this.handling = message;
    for (const listener of [...this.listeners.values()]) {
      try {
        if (listener.filter(message)) this.hand(message, listener);
      } catch (error) {
        // A handler of the page's that throws is the page's to see, and no other listener's.
        throwLater(error);
      }
    }
    this.handling = undefined;
  }

  private hand(message: IntentEvent, listener: RegisterableListener): void {
    const { context, originatingApp, metadata } = message.payload as Shared;
    if ((message as { type: string }).type !== 'broadcastEvent') listener.action(message);
    // The proxy leaves out where a context is from.
    else (listener as ContextListener).handler(context, { source: originatingApp, ...metadata });
  }

  /** The result will not come: its error was told another way. */
  private dropWaiters(message: Incoming): void {
    for (const [id, listener] of this.listeners) {
      if (listener.filter(message as unknown as IntentEvent)) this.listeners.delete(id);
    }
  }
}
