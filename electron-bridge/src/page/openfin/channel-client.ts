import { MAX_REQUEST_TIMEOUT_MS } from '../../generated/constants';
import type { Message, Stop } from '../api';
import { failure } from '../failure';
import type { PageBus } from '../bus';
import { Actions } from './actions';
import { tell } from './channel-provider';
import type { ChannelTopics } from './channel-topics';
import { readWord, type ClientWord } from './channel-words';
import type { Subscribers } from './events';
import { identityOf, providerIdentityOf, type ProviderIdentity } from './identity';
import { Peer } from './peer';

type OnDisconnection = (provider: ProviderIdentity) => unknown;

/** One connection to a channel's provider. */
export class ChannelClient {
  readonly actions: Actions;
  private readonly disconnectionListeners: OnDisconnection[] = [];
  private readonly unwatch: () => void;
  private provider: Peer | undefined;
  private stop: Stop | undefined;
  private ended = false;

  /** `id` tells this connection from every other one. */
  constructor(
    private readonly bus: PageBus,
    private readonly topics: ChannelTopics,
    subscribers: Subscribers,
    private readonly id: string,
    private readonly onEnded: () => void,
  ) {
    this.actions = new Actions(topics.name);
    this.unwatch = subscribers.on('gone', ({ pattern, app, client }) => {
      if (pattern === topics.provider && this.provider?.is(app, client)) this.lose();
    });
  }

  get providerIdentity(): ProviderIdentity | undefined {
    return this.provider && providerIdentityOf(this.provider.identity, this.topics.name);
  }

  /** Starts to listen to the provider. */
  async start(): Promise<void> {
    this.stop = await this.bus.subscribe(this.topics.client(this.id), (message) => {
      if (!this.provider?.is(message.sender.app, message.sender.client)) return;
      if (message.replyTo !== undefined) {
        this.bus.answer(message, (payload) => this.perform(payload, message));
      } else if (readWord(message.payload)['kind'] === 'close') {
        this.lose();
      }
    });
  }

  /** Asks the provider to be let in; rejects with its refusal, or where there is none. */
  async connect(payload: unknown): Promise<void> {
    const word: ClientWord = { kind: 'connect', id: this.id, payload };
    const options = { timeout: MAX_REQUEST_TIMEOUT_MS };
    const { app, client } = await this.bus.request(this.topics.provider, word, options);
    this.provider = new Peer(this.bus, this.topics.provider, identityOf({ app, client }));
  }

  onDisconnection(listener: OnDisconnection): void {
    this.disconnectionListeners.push(listener);
  }

  /** Has the provider perform an action; rejects with a failure. */
  async dispatch(action: string, payload: unknown): Promise<unknown> {
    if (this.ended || !this.provider) throw this.notConnected();
    const word: ClientWord = { kind: 'dispatch', id: this.id, action, payload };
    const answer = await this.provider.ask(word);
    if (answer['unknown'] === true) {
      // It began anew, and knows nobody.
      this.lose();
      throw this.notConnected();
    }
    return answer['result'];
  }

  async disconnect(): Promise<void> {
    this.end();
    await this.stop?.();
  }

  /** Says goodbye, if there is a provider that knows this client. */
  end(): void {
    if (!this.ended && this.provider) {
      const word: ClientWord = { kind: 'bye', id: this.id };
      this.bus.post(this.topics.provider, word);
    }
    this.finish();
  }

  private lose(): void {
    const { providerIdentity } = this;
    if (this.ended || !providerIdentity) return;
    this.finish();
    this.stop?.().catch(() => undefined);
    for (const listener of this.disconnectionListeners) tell(() => listener(providerIdentity));
  }

  private finish(): void {
    if (this.ended) return;
    this.ended = true;
    this.unwatch();
    this.provider?.leave(this.notConnected());
    this.onEnded();
  }

  private async perform(payload: unknown, { sender }: Message): Promise<object> {
    const word = readWord(payload);
    const identity = providerIdentityOf(identityOf(sender), this.topics.name);
    return { result: await this.actions.run(String(word['action']), word['payload'], identity) };
  }

  private notConnected(): Error {
    const why = `This client is not connected to the channel ${this.topics.name} any more.`;
    return failure('unavailable', why);
  }
}
