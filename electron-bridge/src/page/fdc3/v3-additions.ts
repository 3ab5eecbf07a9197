// The additions of FDC3 3.0, which the proxy of 2.2 has not: on its channels, and for intents.
import { DefaultChannel } from '@finos/fdc3-agent-proxy';
import { DefaultIntentListener } from '@finos/fdc3-agent-proxy/dist/src/listeners/DefaultIntentListener';
import type { Context } from '@finos/fdc3-context';
import type { EventHandler, IntentHandler, Listener } from '@finos/fdc3-standard';
import type {
  AgentResponseMessage,
  AppRequestMessage,
  IntentEvent,
} from '@finos/fdc3-schema/dist/generated/api/BrowserTypes';
import { FDC3_EXCHANGE_TIMEOUT_MS } from '../../generated/constants';
import type { BridgeMessaging } from './messaging';

interface Answer {
  listenerUUID?: string;
  context?: Context | null;
  metadata?: object;
}

/** Sends a request of 3.0, whose types the schemas of 2.2 have not. */
export async function ask(
  messaging: BridgeMessaging,
  method: string,
  payload: object,
): Promise<Answer> {
  const request = { type: `${method}Request`, meta: messaging.createMeta(), payload };
  const { payload: answer } = await messaging.exchange(
    request as unknown as AppRequestMessage,
    `${method}Response` as AgentResponseMessage['type'],
    FDC3_EXCHANGE_TIMEOUT_MS,
  );
  return answer as Answer;
}

/** Gives every channel of the proxy its methods of 3.0. */
export function extendChannels(messaging: BridgeMessaging): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its channel below
  const { broadcast } = DefaultChannel.prototype;
  DefaultChannel.prototype.broadcast = function (context: Context, ...[metadata]: unknown[]) {
    return broadcast.call(this, messaging.carrying(context, metadata));
  };
  const methods = {
    async clearContext(this: { id: string }, contextType: string | null = null): Promise<void> {
      await ask(messaging, 'clearContext', { channelId: this.id, contextType });
    },
    async getCurrentContextWithMetadata(
      this: { id: string },
      contextType: string | null = null,
    ): Promise<object | null> {
      const wanted = { channelId: this.id, contextType };
      const { context, metadata } = await ask(messaging, 'getCurrentContext', wanted);
      return context ? { context, metadata } : null;
    },
  };
  for (const [name, method] of Object.entries(methods)) {
    // Bound where it is read, so that it works without its channel.
    Object.defineProperty(DefaultChannel.prototype, name, {
      get(this: { id: string }) {
        return method.bind(this);
      },
    });
  }
}

/** An intent listener for contexts of these types alone. */
export class FilteredIntentListener extends DefaultIntentListener {
  constructor(
    messaging: BridgeMessaging,
    intent: string,
    private readonly types: readonly string[],
    handler: IntentHandler,
  ) {
    super(messaging, intent, handler, FDC3_EXCHANGE_TIMEOUT_MS);
    Object.assign(this, { subscriptionPayload: { intent, contextTypes: types } });
  }

  override filter(message: IntentEvent): boolean {
    return super.filter(message) && this.types.includes(message.payload.context.type);
  }
}

export async function listenWithContext(
  messaging: BridgeMessaging,
  intent: string,
  types: string | readonly string[],
  handler: IntentHandler,
): Promise<Listener> {
  const wanted = typeof types === 'string' ? [types] : types;
  const listener = new FilteredIntentListener(messaging, intent, wanted, handler);
  await listener.register();
  return listener;
}

/** Calls the handler when the contexts of a channel are cleared. */
export async function onContextCleared(
  messaging: BridgeMessaging,
  handler: EventHandler,
): Promise<Listener> {
  const listener = {
    id: '',
    filter: (message: { type: string }) => message.type === 'contextClearedEvent',
    action: ({ payload }: { payload: object }) =>
      handler({ type: 'contextCleared', details: payload }),
    async register(): Promise<void> {
      const { listenerUUID } = await ask(messaging, 'addEventListener', {
        type: 'CONTEXT_CLEARED',
      });
      listener.id = listenerUUID ?? '';
      messaging.register(listener);
    },
    async unsubscribe(): Promise<void> {
      messaging.unregister(listener.id);
      await ask(messaging, 'eventListenerUnsubscribe', { listenerUUID: listener.id });
    },
  };
  await listener.register();
  return listener;
}
