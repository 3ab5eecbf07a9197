// The object that a page sees as `window.deskbus.InterApplicationBus`. test/openfin-types.ts compares
// it with OpenFin's own types.
import type { ClientIdentity, Identity, ProviderIdentity } from './identity';

export type { ClientIdentity, Identity, ProviderIdentity };

export type MessageListener = (
  message: unknown,
  identity: Required<Identity>,
  topic: string,
) => unknown;

export interface SubscriberEvent extends Required<Identity> {
  topic: string;
}

export type EventName = 'subscriber-added' | 'subscriber-removed';
export type EventListener = (event: SubscriberEvent) => unknown;

export interface ChannelEvent extends Required<Identity> {
  channelName: string;
}

export interface ConnectOptions {
  /** Whether to wait for a provider; true unless told. */
  wait?: boolean;
  /** For the provider's `onConnection`. */
  payload?: unknown;
  /** Milliseconds to wait for a provider; ten minutes unless told. */
  timeout?: number;
}

interface ChannelEnd<From> {
  readonly channelName: string;
  /** Throws where the action has a listener already. */
  register(action: string, listener: (payload: unknown, identity: From) => unknown): boolean;
  remove(action: string): boolean;
  setDefaultAction(listener: (action: string, payload: unknown, identity: From) => unknown): void;
  /** Its result, unless that is nothing, takes the payload's place. */
  beforeAction(listener: (action: string, payload: unknown, identity: From) => unknown): void;
  /** Its result, unless that is nothing, takes the place of the action's. */
  afterAction(listener: (action: string, result: unknown, identity: From) => unknown): void;
  /** Its result, unless that is nothing, is the answer in place of the error. */
  onError(listener: (action: string, error: Error, identity: From) => unknown): void;
}

export interface ChannelProvider extends ChannelEnd<ClientIdentity> {
  dispatch(to: Identity | ClientIdentity, action: string, payload?: unknown): Promise<unknown>;
  publish(action: string, payload?: unknown): Promise<unknown>[];
  /** Throwing, or rejecting what it returns, refuses the client. */
  onConnection(listener: (identity: ClientIdentity, payload: unknown) => unknown): void;
  onDisconnection(listener: (identity: ClientIdentity) => unknown): void;
  getAllClientInfo(): Promise<ClientIdentity[]>;
  destroy(): Promise<void>;
}

export interface ChannelClient extends ChannelEnd<ProviderIdentity> {
  readonly providerIdentity: ProviderIdentity;
  dispatch(action: string, payload?: unknown): Promise<unknown>;
  onDisconnection(listener: (provider: ProviderIdentity) => unknown): void;
  disconnect(): Promise<void>;
}

export interface ChannelFactory {
  create(name: string): Promise<ChannelProvider>;
  connect(name: string, options?: ConnectOptions): Promise<ChannelClient>;
  onChannelConnect(listener: (event: ChannelEvent) => unknown): Promise<void>;
  onChannelDisconnect(listener: (event: ChannelEvent) => unknown): Promise<void>;
}

/** Each promise rejects with a `DeskbusFailure`. */
export interface InterApplicationBus {
  /** To every subscriber of the topic. */
  publish(topic: string, message: unknown): Promise<void>;
  /** To one app's clients; rejects where none of them listens. */
  send(destination: Identity, topic: string, message: unknown): Promise<void>;
  /** `{ uuid: '*' }` is everybody. */
  subscribe(source: Identity, topic: string, listener: MessageListener): Promise<void>;
  unsubscribe(source: Identity, topic: string, listener: MessageListener): Promise<void>;
  on(event: EventName, listener: EventListener): Promise<InterApplicationBus>;
  once(event: EventName, listener: EventListener): Promise<InterApplicationBus>;
  removeListener(event: EventName, listener: EventListener): Promise<InterApplicationBus>;
  removeAllListeners(event?: EventName): Promise<InterApplicationBus>;
  /** The names of the events. */
  readonly events: { readonly subscriberAdded: EventName; readonly subscriberRemoved: EventName };
  readonly Channel: ChannelFactory;
}
