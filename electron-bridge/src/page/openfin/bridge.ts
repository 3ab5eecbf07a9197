import type { PageBus } from '../bus';
import type { Actions } from './actions';
import type * as OpenFin from './api';
import { InterApplicationBus } from './bus';
import type { ChannelClient } from './channel-client';
import type { ChannelProvider } from './channel-provider';
import { Channels, type ChannelEvent, type ConnectOptions } from './channels';
import { Subscribers } from './events';

type OnChannel = (event: ChannelEvent) => unknown;

/** The bus that a page sees: frozen objects of functions, which need no `this`. */
export function openfinOf(bus: PageBus): OpenFin.InterApplicationBus {
  const subscribers = new Subscribers(bus);
  const iab = new InterApplicationBus(bus, subscribers);
  const channels = new Channels(bus, subscribers);
  // The other end need not wait until this page is missed.
  window.addEventListener('pagehide', () => channels.leave());
  const facade: OpenFin.InterApplicationBus = Object.freeze({
    publish: iab.publish.bind(iab),
    send: iab.send.bind(iab),
    subscribe: iab.subscribe.bind(iab),
    unsubscribe: iab.unsubscribe.bind(iab),
    on: async (event: OpenFin.EventName, listener: OpenFin.EventListener) => {
      await iab.on(event, listener);
      return facade;
    },
    once: async (event: OpenFin.EventName, listener: OpenFin.EventListener) => {
      await iab.on(event, listener, true);
      return facade;
    },
    removeListener: async (event: OpenFin.EventName, listener: OpenFin.EventListener) => {
      await iab.removeListener(event, listener);
      return facade;
    },
    removeAllListeners: async (event?: OpenFin.EventName) => {
      await iab.removeAllListeners(event);
      return facade;
    },
    events: Object.freeze({
      subscriberAdded: 'subscriber-added',
      subscriberRemoved: 'subscriber-removed',
    }),
    Channel: Object.freeze({
      create: async (name: string) => providerOf(name, await channels.create(name)),
      connect: async (name: string, options?: ConnectOptions) =>
        clientOf(name, await channels.connect(name, options)),
      onChannelConnect: async (listener: OnChannel) => {
        channels.on('opened', (event) => void listener(event));
        await subscribers.start();
      },
      onChannelDisconnect: async (listener: OnChannel) => {
        channels.on('closed', (event) => void listener(event));
        await subscribers.start();
      },
    }),
  });
  return facade;
}

function actionsOf(actions: Actions) {
  return {
    register: actions.register.bind(actions),
    remove: actions.remove.bind(actions),
    setDefaultAction: actions.setDefaultAction.bind(actions),
    beforeAction: actions.beforeAction.bind(actions),
    afterAction: actions.afterAction.bind(actions),
    onError: actions.onError.bind(actions),
  };
}

function providerOf(channelName: string, provider: ChannelProvider) {
  const end = {
    channelName,
    ...actionsOf(provider.actions),
    dispatch: provider.dispatch.bind(provider),
    publish: provider.publish.bind(provider),
    onConnection: provider.onConnection.bind(provider),
    onDisconnection: provider.onDisconnection.bind(provider),
    getAllClientInfo: () => Promise.resolve(provider.connections()),
    destroy: provider.destroy.bind(provider),
  };
  return Object.freeze(end as OpenFin.ChannelProvider);
}

function clientOf(channelName: string, client: ChannelClient) {
  const end = {
    channelName,
    providerIdentity: client.providerIdentity,
    ...actionsOf(client.actions),
    dispatch: client.dispatch.bind(client),
    onDisconnection: client.onDisconnection.bind(client),
    disconnect: client.disconnect.bind(client),
  };
  return Object.freeze(end as OpenFin.ChannelClient);
}
