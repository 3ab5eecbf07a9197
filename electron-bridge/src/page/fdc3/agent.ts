import {
  DefaultAppSupport,
  DefaultHeartbeatSupport,
  DefaultIntentSupport,
  DesktopAgentProxy,
} from '@finos/fdc3-agent-proxy';
import {
  LogLevel,
  ResultError,
  type ContextMetadata,
  type EventHandler,
  type FDC3EventTypes,
  type IntentHandler,
  type IntentResolver,
  type IntentResult,
  type Listener,
} from '@finos/fdc3-standard';
import type { AppIdentifier, IntentResolution } from '@finos/fdc3-standard';
import type { Context } from '@finos/fdc3-context';
import { throwLater } from '../../common/uncaught';
import type { ConnectResult } from '../../generated/protocol';
import { FDC3_EXCHANGE_TIMEOUT_MS, FDC3_LAUNCH_TIMEOUT_MS } from '../../generated/constants';
import type { PageBus } from '../bus';
import { isError } from '../../common/error';
import { PageChannels } from './channels';
import { BridgeMessaging } from './messaging';
import { ask, extendChannels, listenWithContext, onContextCleared } from './v3-additions';

/** The proxy's own function, which has no other hook for a result that is an error. */
interface ResultPromises {
  createResultPromise(request: { meta: { requestUuid: string } }): Promise<IntentResult>;
}

/** FDC3 3.0, ContextWithMetadata; a context has a type, and a channel an id. */
interface WithMetadata {
  context: Context;
  metadata: object;
  type: string;
  id: unknown;
}

/** People choose in a dialog of the shell, so a page has nothing to draw. */
const resolver: IntentResolver = {
  connect: () => Promise.resolve(),
  disconnect: () => Promise.resolve(),
  chooseIntent: () => Promise.resolve(undefined),
};

/** FINOS's own agent for pages, over messages that the bridge carries. */
export class BridgeAgent extends DesktopAgentProxy {
  private readonly pageChannels: PageChannels;
  private readonly metadataOf: WeakMap<Promise<IntentResult>, Promise<object>>;

  /** With `isNewer` it has the additions of FDC3 3.0. */
  constructor(
    private readonly messaging: BridgeMessaging,
    private readonly isNewer: boolean,
  ) {
    const heartbeat = new DefaultHeartbeatSupport(messaging);
    const channels = new PageChannels(messaging);
    const intents = new DefaultIntentSupport(
      messaging,
      resolver,
      FDC3_EXCHANGE_TIMEOUT_MS,
      FDC3_LAUNCH_TIMEOUT_MS,
    );
    const apps = new DefaultAppSupport(messaging, FDC3_EXCHANGE_TIMEOUT_MS, FDC3_LAUNCH_TIMEOUT_MS);
    super(heartbeat, channels, intents, apps, [heartbeat], LogLevel.NONE);
    this.pageChannels = channels;
    this.metadataOf = rejectResults(intents as unknown as ResultPromises, messaging);
  }

  override addIntentListener(intent: string, handler: IntentHandler): Promise<Listener> {
    return super.addIntentListener(intent, this.telling(handler));
  }

  /** FDC3 3.0. */
  addIntentListenerWithContext = (
    intent: string,
    types: string | readonly string[],
    handler: IntentHandler,
  ): Promise<Listener> => listenWithContext(this.messaging, intent, types, this.telling(handler));

  /** FDC3 3.0: closes the page's own window. */
  close = async (): Promise<void> => {
    await ask(this.messaging, 'close', {});
  };

  /** An error that the handler throws, or rejects with, is told to the app that raised the intent. */
  private telling(handler: IntentHandler): IntentHandler {
    return (context, metadata) => {
      const event = this.messaging.handling;
      const rejected = (error: unknown): Promise<IntentResult> => {
        this.reject(event?.payload.raiseIntentRequestUuid, event?.meta.eventUuid);
        // The page sees its own error, as it would without FDC3.
        throwLater(error);
        return new Promise(() => undefined);
      };
      try {
        const { metadata: more } = (event?.payload ?? {}) as { metadata?: ContextMetadata };
        const known = { ...metadata, ...more } as ContextMetadata;
        const done = handler(context, known) as Promise<IntentResult> | undefined;
        if (done === undefined) return undefined;
        return Promise.resolve(done)
          .then((result) => (this.isNewer ? this.unwrap(result) : result))
          .catch(rejected);
      } catch (error) {
        return rejected(error);
      }
    };
  }

  /** A result may be a context with metadata of the page's own (FDC3 3.0). */
  private unwrap(result: IntentResult): IntentResult {
    const { context, metadata, type, id } = (result ?? {}) as Partial<WithMetadata>;
    const isPair = context !== undefined && metadata !== undefined && !type && !id;
    return isPair ? this.messaging.carrying(context, metadata) : result;
  }

  override addEventListener(type: FDC3EventTypes | null, handler: EventHandler): Promise<Listener> {
    // There is one event in FDC3 2.2, so all of them is that one too; 3.0 has another.
    const name: string | null = type;
    if (name === 'contextCleared') return onContextCleared(this.messaging, handler);
    return name === null || name === 'userChannelChanged'
      ? this.pageChannels.onChanged(handler)
      : Promise.reject(new Error('UnknownEventType'));
  }

  // FDC3 3.0 has metadata of the page's own behind what 2.2 takes.

  override broadcast(context: Context, ...[metadata]: unknown[]): Promise<void> {
    return super.broadcast(this.messaging.carrying(context, metadata));
  }

  override open(
    app: string | AppIdentifier,
    context?: Context,
    ...[metadata]: unknown[]
  ): Promise<AppIdentifier> {
    return super.open(app, this.messaging.carrying(context, metadata));
  }

  override raiseIntent(
    intent: string,
    context: Context,
    app?: string | AppIdentifier,
    ...[metadata]: unknown[]
  ): Promise<IntentResolution> {
    const raised = super.raiseIntent(intent, this.messaging.carrying(context, metadata), app);
    return raised.then((resolution) => this.withMetadata(resolution));
  }

  override raiseIntentForContext(
    context: Context,
    app?: string | AppIdentifier,
    ...[metadata]: unknown[]
  ): Promise<IntentResolution> {
    const raised = super.raiseIntentForContext(this.messaging.carrying(context, metadata), app);
    return raised.then((resolution) => this.withMetadata(resolution));
  }

  private withMetadata(resolution: IntentResolution): IntentResolution {
    const { result } = resolution as unknown as { result: Promise<IntentResult> };
    const getResultMetadata = (): Promise<object> | undefined => this.metadataOf.get(result);
    return this.isNewer ? Object.assign(resolution, { getResultMetadata }) : resolution;
  }

  override async connect(): Promise<void> {
    await super.connect();
    await this.pageChannels.recall();
  }

  /** Tells an agent that has forgotten this page of its channel and its listeners. */
  async renew(): Promise<void> {
    const { current } = this.pageChannels;
    for (const listener of this.messaging.takeListeners()) await listener.register();
    if (current !== null) await this.pageChannels.joinUserChannel(current);
  }

  private reject(raiseIntentRequestUuid = '', intentEventUuid = ''): void {
    const error = ResultError.IntentHandlerRejected;
    const message = {
      type: 'intentResultRequest',
      meta: this.messaging.createMeta(),
      payload: { intentResult: {}, intentEventUuid, raiseIntentRequestUuid, error },
    } as const;
    this.messaging.post(message).catch(throwLater);
  }
}

/** Results that are errors are told to the page; returns the metadata by the result's promise. */
function rejectResults(
  intents: ResultPromises,
  messaging: BridgeMessaging,
): WeakMap<Promise<IntentResult>, Promise<object>> {
  const metadataOf = new WeakMap<Promise<IntentResult>, Promise<object>>();
  const create = intents.createResultPromise.bind(intents);
  intents.createResultPromise = (request) => {
    const { failed, metadata } = messaging.resultOf(request.meta.requestUuid);
    const result = Promise.race([create(request), failed]);
    // A page need not ask for the result of what it raises.
    result.catch(() => undefined);
    metadataOf.set(result, metadata);
    return result;
  };
  return metadataOf;
}

/** Begins with the agent; rejects where it can't be reached. */
export async function connect(bus: PageBus, isNewer: boolean): Promise<BridgeAgent> {
  const begin = async (): Promise<void> => {
    for (;;) {
      try {
        const connected = await bus.call('fdc3.connect', {}, { whileClosed: 'queue' });
        messaging.begin(connected as ConnectResult);
        return;
      } catch (error) {
        // The call waits for the next connection where there is none.
        if (!isError(error, 'connection_lost')) throw error;
      }
    }
  };
  const messaging = new BridgeMessaging(bus);
  if (isNewer) extendChannels(messaging);
  await begin();
  const agent = new BridgeAgent(messaging, isNewer);
  await agent.connect();
  bus.on('fdc3Lost', () => {
    messaging.dropResults();
    begin()
      .then(() => agent.renew())
      .catch(throwLater);
  });
  return agent;
}
