import { throwLater } from '../../common/uncaught';
import type { Message, Stop } from '../api';
import { failure } from '../failure';
import type { PageBus } from '../bus';
import { Actions } from './actions';
import type { ChannelTopics } from './channel-topics';
import { readWord, type Answer, type ProviderWord } from './channel-words';
import type { Subscribers } from './events';
import { identityOf, readIdentity, type ClientIdentity, type Identity } from './identity';
import { Peer } from './peer';

type OnConnection = (identity: ClientIdentity, payload: unknown) => unknown;
type OnDisconnection = (identity: ClientIdentity) => unknown;

/** The end of a channel that there is one of. */
export class ChannelProvider {
  readonly actions: Actions;
  private readonly clients = new Map<string, Peer>();
  /** Those that the listeners for connections have not let in yet. */
  private readonly arriving = new Map<string, Peer>();
  private readonly connectionListeners: OnConnection[] = [];
  private readonly disconnectionListeners: OnDisconnection[] = [];
  private readonly unwatch: () => void;
  private stop: Stop | undefined;
  private destroyed = false;

  constructor(
    private readonly bus: PageBus,
    private readonly topics: ChannelTopics,
    subscribers: Subscribers,
    private readonly onDestroyed: () => void,
  ) {
    this.actions = new Actions(topics.name);
    this.unwatch = subscribers.on('gone', ({ pattern, app, client }) => {
      const id = topics.clientOf(pattern);
      if (id !== undefined) this.dropOf(id, app, client);
    });
  }

  /** Resolves when clients can connect. */
  async start(): Promise<void> {
    this.stop = await this.bus.subscribe(this.topics.provider, (message) => {
      if (message.replyTo === undefined) this.hear(message);
      else this.bus.answer(message, (payload) => this.answer(payload, message));
    });
  }

  onConnection(listener: OnConnection): void {
    this.connectionListeners.push(listener);
  }

  onDisconnection(listener: OnDisconnection): void {
    this.disconnectionListeners.push(listener);
  }

  connections(): ClientIdentity[] {
    return [...this.clients].map(([id, peer]) => this.describe(id, peer.identity));
  }

  /** Has one client perform an action; rejects with a failure. */
  async dispatch(to: unknown, action: string, payload: unknown): Promise<unknown> {
    const wanted = readIdentity(to);
    const { endpointId } = to as { endpointId?: unknown };
    const found = [...this.clients].find(([id, { identity }]) => {
      if (typeof endpointId === 'string') return id === endpointId;
      return identity.uuid === wanted.uuid && identity.name === (wanted.name ?? identity.name);
    });
    if (!found) {
      throw failure('no_subscriber', `${wanted.uuid} is no client of ${this.topics.name}.`);
    }
    return askFor(found[1], action, payload);
  }

  /** Has each client perform an action. */
  publish(action: string, payload: unknown): Promise<unknown>[] {
    return [...this.clients.values()].map((peer) => askFor(peer, action, payload));
  }

  async destroy(): Promise<void> {
    this.end();
    await this.stop?.();
  }

  /** Tells the clients that there is no provider any more. */
  end(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.unwatch();
    const word: ProviderWord = { kind: 'close' };
    for (const [id, peer] of this.clients) {
      this.bus.post(this.topics.client(id), word);
      peer.leave(failure('unavailable', `The channel ${this.topics.name} was destroyed.`));
    }
    this.clients.clear();
    this.arriving.clear();
    this.onDestroyed();
  }

  private async answer(payload: unknown, { sender }: Message): Promise<unknown> {
    const word = readWord(payload);
    if (typeof word['id'] !== 'string') throw failure('invalid_params');
    if (word['kind'] === 'connect') return this.connect(word['id'], sender, word['payload']);
    const peer = this.clients.get(word['id']);
    const answer = { unknown: true } as const satisfies Answer;
    if (!peer?.is(sender.app, sender.client)) return answer;
    const identity = this.describe(word['id'], peer.identity);
    return { result: await this.actions.run(String(word['action']), word['payload'], identity) };
  }

  private async connect(id: string, sender: Message['sender'], payload: unknown): Promise<object> {
    if (this.clients.has(id) || this.arriving.has(id)) throw failure('conflict');
    const peer = new Peer(this.bus, this.topics.client(id), identityOf(sender));
    const identity = this.describe(id, peer.identity);
    this.arriving.set(id, peer);
    try {
      for (const listener of this.connectionListeners) await listener(identity, payload);
      // It may have left meanwhile, or the channel be gone.
      if (this.arriving.get(id) !== peer) throw failure('unavailable');
      this.clients.set(id, peer);
    } finally {
      if (this.arriving.get(id) === peer) this.arriving.delete(id);
    }
    return {};
  }

  private hear({ payload, sender }: Message): void {
    const { kind, id } = readWord(payload);
    if (kind !== 'bye' || typeof id !== 'string') return;
    this.dropOf(id, sender.app, sender.client);
  }

  /** The client with this id is gone, if it is this one. */
  private dropOf(id: string, app: string, client: string): void {
    if (this.arriving.get(id)?.is(app, client)) this.arriving.delete(id);
    if (this.clients.get(id)?.is(app, client)) this.drop(id);
  }

  private drop(id: string): void {
    const peer = this.clients.get(id);
    if (!peer) return;
    this.clients.delete(id);
    peer.leave(failure('unavailable', `The client has left the channel ${this.topics.name}.`));
    for (const listener of this.disconnectionListeners) {
      tell(() => listener(this.describe(id, peer.identity)));
    }
  }

  private describe(id: string, identity: Required<Identity>): ClientIdentity {
    const { name: channelName } = this.topics;
    return { ...identity, channelName, endpointId: id, isLocalEndpointId: false };
  }
}

async function askFor(peer: Peer, action: string, payload: unknown): Promise<unknown> {
  const word: ProviderWord = { kind: 'dispatch', action, payload };
  return (await peer.ask(word))['result'];
}

/** Runs a listener whose fault is its own. */
export function tell(listener: () => unknown): void {
  try {
    listener();
  } catch (error) {
    throwLater(error);
  }
}
