import type { PageBus } from '../page-bus';
import type { Actions } from './actions';
import { InterApplicationBus } from './bus';
import type { ChannelClient } from './channel-client';
import type { ChannelProvider } from './channel-provider';
import { Channels, type ChannelEvent, type ConnectOptions } from './channels';
import { Subscribers } from './events';

type OnChannel = (event: ChannelEvent) => unknown;

/** The same in the form in which it crosses the contextBridge: plain objects of functions. */
export function bridgeOf(bus: PageBus) {
  const subscribers = new Subscribers(bus);
  const iab = new InterApplicationBus(bus, subscribers);
  const channels = new Channels(bus, subscribers);
  // The other end need not wait until this page is missed.
  window.addEventListener('pagehide', () => channels.leave());
  return {
    publish: iab.publish.bind(iab),
    send: iab.send.bind(iab),
    subscribe: iab.subscribe.bind(iab),
    unsubscribe: iab.unsubscribe.bind(iab),
    on: iab.on.bind(iab),
    removeListener: iab.removeListener.bind(iab),
    removeAllListeners: iab.removeAllListeners.bind(iab),
    Channel: {
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
    },
  };
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
  return {
    channelName,
    ...actionsOf(provider.actions),
    dispatch: provider.dispatch.bind(provider),
    publish: provider.publish.bind(provider),
    onConnection: provider.onConnection.bind(provider),
    onDisconnection: provider.onDisconnection.bind(provider),
    getAllClientInfo: () => Promise.resolve(provider.connections()),
    destroy: provider.destroy.bind(provider),
  };
}

function clientOf(channelName: string, client: ChannelClient) {
  return {
    channelName,
    providerIdentity: client.providerIdentity,
    ...actionsOf(client.actions),
    dispatch: client.dispatch.bind(client),
    onDisconnection: client.onDisconnection.bind(client),
    disconnect: client.disconnect.bind(client),
  };
}
