import { MAX_REQUEST_TIMEOUT_MS } from '../../generated/constants';
import { Emitter } from '../../common/emitter';
import { isError } from '../../common/error';
import { failure } from '../failure';
import type { PageBus } from '../bus';
import { ChannelClient } from './channel-client';
import { ChannelProvider } from './channel-provider';
import { channelProvidedOn, ChannelTopics } from './channel-topics';
import type { Subscribers } from './events';
import { identityOf, type Identity } from './identity';

export interface ConnectOptions {
  /** Whether to wait for a provider; true unless told. */
  wait?: boolean;
  /** For the provider's `onConnection`. */
  payload?: unknown;
  /** Milliseconds to wait for a provider; ten minutes unless told. */
  timeout?: number;
}

export interface ChannelEvent extends Required<Identity> {
  channelName: string;
}

/** The channels that this page provides, and those that it is connected to. */
export class Channels extends Emitter<{ opened: ChannelEvent; closed: ChannelEvent }> {
  private readonly providers = new Map<string, ChannelProvider>();
  private readonly clients = new Set<ChannelClient>();
  private lastId = 0;

  constructor(
    private readonly bus: PageBus,
    private readonly subscribers: Subscribers,
  ) {
    super();
    subscribers.on('added', ({ pattern, app, client }) => {
      const channelName = channelProvidedOn(pattern);
      if (channelName === undefined) return;
      this.emit('opened', { channelName, ...identityOf({ app, client }) });
    });
    subscribers.on('gone', ({ pattern, app, client }) => {
      const channelName = channelProvidedOn(pattern);
      if (channelName === undefined) return;
      this.emit('closed', { channelName, ...identityOf({ app, client }) });
    });
  }

  /** Rejects with a failure: conflict where the channel has a provider. */
  async create(name: string): Promise<ChannelProvider> {
    const topics = new ChannelTopics(name);
    await this.subscribers.start();
    if (this.providers.has(name) || this.subscribers.of(topics.provider).length > 0) {
      throw failure('conflict', `The channel ${name} has a provider already.`);
    }
    const event = { channelName: name, ...identityOf(this.bus) };
    const provider = new ChannelProvider(this.bus, topics, this.subscribers, () => {
      this.providers.delete(name);
      this.emit('closed', event);
    });
    this.providers.set(name, provider);
    try {
      await provider.start();
    } catch (error) {
      provider.end();
      throw error;
    }
    this.emit('opened', event);
    return provider;
  }

  /** Rejects with a failure: no_subscriber, timeout, or what `onConnection` threw. */
  async connect(name: string, options: ConnectOptions = {}): Promise<ChannelClient> {
    const topics = new ChannelTopics(name);
    await this.subscribers.start();
    const id = `${this.bus.page}-${++this.lastId}`;
    const client: ChannelClient = new ChannelClient(this.bus, topics, this.subscribers, id, () =>
      this.clients.delete(client),
    );
    this.clients.add(client);
    try {
      await client.start();
      await this.reach(client, name, options);
    } catch (error) {
      await client.disconnect().catch(() => undefined);
      throw error;
    }
    return client;
  }

  /** The page goes away: tells the other ends at once. */
  leave(): void {
    for (const provider of [...this.providers.values()]) provider.end();
    for (const client of [...this.clients]) client.end();
    this.bus.leave();
  }

  private async reach(client: ChannelClient, name: string, options: ConnectOptions): Promise<void> {
    const { wait = true, payload, timeout = MAX_REQUEST_TIMEOUT_MS } = options;
    const limit = performance.now() + timeout;
    for (;;) {
      const opened = this.opening(name);
      try {
        await client.connect(payload);
        return;
      } catch (error) {
        if (!isError(error, 'no_subscriber')) throw error;
        if (!wait) throw failure('no_subscriber', `The channel ${name} has no provider.`);
        await opened.within(limit - performance.now());
      } finally {
        opened.stop();
      }
    }
  }

  /** The next provider of a channel, from now on. */
  private opening(name: string) {
    let come: () => void;
    const opened = new Promise<void>((resolve) => (come = resolve));
    const stop = this.on('opened', ({ channelName }) => {
      if (channelName === name) come();
    });
    const within = (ms: number): Promise<void> =>
      new Promise((resolve, reject) => {
        const late = (): void => reject(failure('timeout', `The channel ${name} has no provider.`));
        const timer = setTimeout(late, ms);
        void opened.then(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    return { within, stop };
  }
}
