// Compared by tsc alone (npm run typecheck): where the facade has OpenFin's shapes, a program that was
// written against OpenFin's own types may be handed the facade in their place.
import type OpenFin from '@openfin/core';
import type * as Facade from '../src/page/openfin/api';

/** Methods as functions, whose parameters TypeScript compares strictly; private members left out. */
type Shape<T> = {
  [K in keyof T]: T[K] extends (...words: infer Words) => infer Result
    ? (...words: Words) => Result
    : T[K];
};

/** The members that both ends of a channel have. */
type End =
  | 'register'
  | 'remove'
  | 'setDefaultAction'
  | 'beforeAction'
  | 'afterAction'
  | 'onError'
  | 'onDisconnection'
  | 'dispatch';

type Client = Shape<Pick<OpenFin.ChannelClient, End | 'providerIdentity' | 'disconnect'>>;
/** Without `connections` and `getAllClientInfo`: pages' addresses are told to nobody here. */
type Provider = Shape<Pick<OpenFin.ChannelProvider, End | 'publish' | 'onConnection' | 'destroy'>>;

type OpenFinBus = OpenFin.Fin<'window'>['InterApplicationBus'];
type OpenFinChannels = OpenFinBus['Channel'];

interface Channels extends Shape<
  Pick<OpenFinChannels, 'onChannelConnect' | 'onChannelDisconnect'>
> {
  create: (...words: Parameters<OpenFinChannels['create']>) => Promise<Provider>;
  connect: (...words: Parameters<OpenFinChannels['connect']>) => Promise<Client>;
}

interface Bus extends Shape<
  Pick<
    OpenFinBus,
    'publish' | 'send' | 'subscribe' | 'unsubscribe' | 'on' | 'removeAllListeners' | 'events'
  >
> {
  Channel: Channels;
}

declare const facade: Facade.InterApplicationBus;
export const bus: Bus = facade;

declare const client: Facade.ChannelClient;
export const sameClient: Client = client;

// The identities that listeners get are OpenFin's.
declare const clientIdentity: Facade.ClientIdentity;
export const sameClientIdentity: OpenFin.ClientIdentity = clientIdentity;
declare const providerIdentity: Facade.ProviderIdentity;
export const sameProviderIdentity: OpenFin.ProviderIdentity = providerIdentity;
export const options: Facade.ConnectOptions = {} as OpenFin.ChannelConnectOptions;

// A difference is seen: else the comparisons above would prove nothing.
interface Other extends Omit<Facade.ChannelClient, 'dispatch'> {
  dispatch(action: number): Promise<unknown>;
}
declare const other: Other;
// @ts-expect-error An action is named by text.
export const different: Client = other;
