import { DefaultChannelSupport } from '@finos/fdc3-agent-proxy';
import { DefaultContextListener } from '@finos/fdc3-agent-proxy/dist/src/listeners/DefaultContextListener';
import type {
  ApiEvent,
  ChannelSelector,
  ContextHandler,
  EventHandler,
  Listener,
} from '@finos/fdc3-standard';
import type { BroadcastEvent } from '@finos/fdc3-schema/dist/generated/api/BrowserTypes';
import { throwLater } from '../../common/uncaught';
import { FDC3_EXCHANGE_TIMEOUT_MS } from '../../generated/constants';
import type { BridgeMessaging } from './messaging';

/** People choose a channel in the shell, so a page has nothing to draw. */
const selector: ChannelSelector = {
  connect: () => Promise.resolve(),
  disconnect: () => Promise.resolve(),
  updateChannel: () => Promise.resolve(),
  setChannelChangeCallback: () => undefined,
};

/** Hears what comes on the user channel that is joined, whichever that is by then. */
class UserChannelListener extends DefaultContextListener {
  constructor(
    private readonly channels: PageChannels,
    messaging: BridgeMessaging,
    private readonly type: string | null,
    handler: ContextHandler,
  ) {
    super(messaging, FDC3_EXCHANGE_TIMEOUT_MS, null, type, handler);
  }

  override filter(message: BroadcastEvent): boolean {
    if ((message as { type: string }).type !== 'broadcastEvent') return false;
    const { channelId } = message.payload as { channelId: string | null };
    // Without a channel it is what the app was opened with.
    const here = channelId === null || channelId === this.channels.current;
    return here && this.wants(message.payload.context.type);
  }

  override async unsubscribe(): Promise<void> {
    this.channels.forget(this);
    await super.unsubscribe();
  }

  wants(type: string): boolean {
    return this.type === null || this.type === type;
  }

  /** Hands the handler what was shared on the channel last. */
  async showLast(): Promise<void> {
    const channel = await this.channels.getUserChannel();
    const context = await channel?.getCurrentContext(this.type ?? undefined);
    if (context) this.handler(context);
  }
}

/**
 * User channels as the agent keeps them: a listener stays one of the page's, and the agent
 * follows it from channel to channel, also where a person moves the page to another.
 */
export class PageChannels extends DefaultChannelSupport {
  /** The user channel that is joined. */
  current: string | null = null;
  private readonly own = new Set<UserChannelListener>();
  private shown: Promise<unknown> = Promise.resolve();

  constructor(private readonly bridged: BridgeMessaging) {
    super(bridged, selector, FDC3_EXCHANGE_TIMEOUT_MS);
    this.addChannelChangedEventHandler(({ details }) => {
      this.moved((details as { newChannelId: string | null }).newChannelId);
    }).catch(throwLater);
  }

  override async addContextListener(
    handler: ContextHandler,
    type: string | null,
  ): Promise<Listener> {
    const listener = new UserChannelListener(this, this.bridged, type, handler);
    this.own.add(listener);
    try {
      await listener.register();
    } catch (error) {
      this.own.delete(listener);
      throw error;
    }
    if (this.current !== null) await listener.showLast();
    return listener;
  }

  override async joinUserChannel(id: string): Promise<void> {
    await super.joinUserChannel(id);
    await this.shown;
  }

  /** Learns which channel the page is on from before: of an earlier load, or of a layout. */
  async recall(): Promise<void> {
    this.current = (await this.getUserChannel())?.id ?? null;
  }

  /** FDC3's own event for a change of the user channel. */
  onChanged(handler: EventHandler): Promise<Listener> {
    return this.addChannelChangedEventHandler(({ details }: ApiEvent) => {
      const { newChannelId } = details as { newChannelId: string | null };
      handler({ type: 'userChannelChanged', details: { currentChannelId: newChannelId } });
    });
  }

  forget(listener: UserChannelListener): void {
    this.own.delete(listener);
  }

  private moved(channel: string | null): void {
    this.current = channel;
    if (channel === null) return;
    this.shown = Promise.all([...this.own].map((listener) => listener.showLast()));
    this.shown.catch(throwLater);
  }
}
