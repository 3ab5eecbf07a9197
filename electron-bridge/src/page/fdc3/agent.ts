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
import { throwLater } from '../../common/uncaught';
import type { ConnectResult } from '../../generated/protocol';
import { FDC3_EXCHANGE_TIMEOUT_MS, FDC3_LAUNCH_TIMEOUT_MS } from '../../generated/constants';
import type { PageBus } from '../bus';
import { isError } from '../../common/error';
import { PageChannels } from './channels';
import { BridgeMessaging } from './messaging';
import { ask, extendChannels, listenWithContext, onContextCleared } from './newer';

/** The proxy's own function, which has no other hook for a result that is an error. */
interface ResultPromises {
  createResultPromise(request: { meta: { requestUuid: string } }): Promise<IntentResult>;
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

  constructor(private readonly messaging: BridgeMessaging) {
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
    rejectResults(intents as unknown as ResultPromises, messaging);
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
        return done === undefined ? undefined : Promise.resolve(done).catch(rejected);
      } catch (error) {
        return rejected(error);
      }
    };
  }

  override addEventListener(type: FDC3EventTypes | null, handler: EventHandler): Promise<Listener> {
    // There is one event in FDC3 2.2, so all of them is that one too; 3.0 has another.
    const name: string | null = type;
    if (name === 'contextCleared') return onContextCleared(this.messaging, handler);
    return name === null || name === 'userChannelChanged'
      ? this.pageChannels.onChanged(handler)
      : Promise.reject(new Error('UnknownEventType'));
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

function rejectResults(intents: ResultPromises, messaging: BridgeMessaging): void {
  const create = intents.createResultPromise.bind(intents);
  intents.createResultPromise = (request) => {
    const failed = messaging.resultError(request.meta.requestUuid);
    const result = Promise.race([create(request), failed]);
    // A page need not ask for the result of what it raises.
    result.catch(() => undefined);
    return result;
  };
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
  const agent = new BridgeAgent(messaging);
  await agent.connect();
  bus.on('fdc3Lost', () => {
    begin()
      .then(() => agent.renew())
      .catch(throwLater);
  });
  return agent;
}
