// The preload script of app windows: gives the page `window.deskbus`, and nothing else.
import './only-in-preload';
import { contextBridge, webFrame } from 'electron';
import { APP_ARGUMENT, CLIENT_ARGUMENT } from '../ipc/operations';
import { throwLater } from '../common/uncaught';
import type {
  ConnectionState,
  Gap,
  Listener,
  PermissionChange,
  PublishOptions,
  SubscribeOptions,
} from './api';
import { refusalOf } from './failure';
import { bridgeOf } from './openfin/bridge';
import { PageBus } from './page-bus';
import { filesOf } from './page-files';
import { secretsOf } from './page-secrets';
import { install } from './page-world';

/** The functions that the page's own `deskbus` is made of; it can do no more. */
const BRIDGE = 'deskbusBridge';

function argument(prefix: string): string {
  const found = process.argv.filter((word) => word.startsWith(prefix)).pop();
  return found?.slice(prefix.length) ?? '';
}

const bus = new PageBus(argument(APP_ARGUMENT), argument(CLIENT_ARGUMENT));

const api = {
  app: bus.app,
  client: bus.client,
  publish: (topic: string, payload: unknown, options?: PublishOptions & { confirm?: boolean }) => {
    try {
      return bus.publish(topic, payload, options);
    } catch (failure) {
      // An error that is thrown would not cross as it is. The page's own side throws it.
      return failure;
    }
  },
  cancel: bus.cancel.bind(bus),
  subscribe: (pattern: string, listener: Listener, options?: SubscribeOptions) =>
    bus.subscribe(pattern, listener, options),
  request: bus.request.bind(bus),
  respond: bus.respond.bind(bus),
  send: bus.send.bind(bus),
  permissions: {
    request: (wish: object) => bus.call('permissions.request', wish),
    query: (wish: object) => bus.call('permissions.query', wish),
    onChanged: (listener: (change: PermissionChange) => void) => bus.on('permissions', listener),
  },
  secrets: secretsOf(bus),
  files: filesOf(bus),
  state: () => bus.state,
  onState: (listener: (state: ConnectionState) => void) => bus.on('state', listener),
  onRefused: (listener: (refusal: object) => void) =>
    bus.on('refused', (refusal) => listener(refusalOf(refusal))),
  onGap: (listener: (gap: Gap) => void) => bus.on('gap', listener),
  InterApplicationBus: bridgeOf(bus),
};

bus.begin();
contextBridge.exposeInMainWorld(BRIDGE, api);
// Runs at once, before any script of the page.
webFrame.executeJavaScript(`(${install.toString()})('${BRIDGE}')`).catch(throwLater);
