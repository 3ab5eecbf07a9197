// The preload script of app windows: exposes `window.deskbus` to the page, and nothing else.
import { contextBridge, ipcRenderer } from 'electron';
import {
  APP_ARGUMENT,
  Channel,
  CLIENT_ARGUMENT,
  OPERATIONS,
  type Operation,
  type Reply,
} from '../main/operations';
import type { Numbered } from '../node/acknowledgements';
import { Emitter } from '../node/emitter';
import { answerWith } from '../node/responder';
import { Subscriptions } from '../node/subscriptions';
import { throwLater } from '../node/uncaught';
import type {
  ConnectionState,
  Gap,
  Listener,
  Message,
  PublishOptions,
  Refusal,
  Responder,
  SubscribeOptions,
} from './api';

const MESSAGE_HEAD = '{"jsonrpc":"2.0","method":"bus.message","params":';

class Signals extends Emitter<{ state: ConnectionState; refused: Refusal; gap: Gap }> {
  listen(): void {
    ipcRenderer.on(Channel.state, (_event, state: ConnectionState) => {
      connection = state;
      this.emit('state', state);
    });
    ipcRenderer.on(Channel.refused, (_event, refusal: Refusal) => {
      if (refusal.method === OPERATIONS.subscribe && refusal.topic !== undefined) {
        subscriptions.forget(refusal.topic);
      }
      this.emit('refused', refusal);
    });
    ipcRenderer.on(Channel.gap, (_event, gap: Gap) => this.emit('gap', gap));
  }
}

// A page speaks under a token of its own, so that what an earlier page of this window left
// behind is told apart from it.
const page = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
const signals = new Signals();
const subscriptions = new Subscriptions<Message>({
  subscribe: (pattern, wish) => call('subscribe', { pattern, ...wish }),
  unsubscribe: (pattern) => call('unsubscribe', { pattern }),
  acknowledge,
  failed: (_message, error) => throwLater(error),
});
// A window connects before it loads its page.
let connection: ConnectionState = 'open';

// Publishes of one turn cross to main together.
let posts: object[] = [];

function post(params: object): void {
  if (posts.length === 0) queueMicrotask(flushPosts);
  posts.push(params);
}

function flushPosts(): void {
  if (posts.length === 0) return;
  ipcRenderer.send(Channel.post, page, posts);
  posts = [];
}

// So do acknowledgements.
let taken: Numbered[] = [];

function acknowledge({ topic, epoch, seq }: Message): void {
  if (taken.length === 0) queueMicrotask(flushTaken);
  taken.push({ topic, epoch, seq });
}

function flushTaken(): void {
  ipcRenderer.send(Channel.acknowledge, page, taken);
  taken = [];
}

async function call(operation: Operation, params: object): Promise<unknown> {
  flushPosts();
  const reply = (await ipcRenderer.invoke(Channel.call, page, operation, params)) as
    Reply | undefined;
  if (!reply) throw new Error('Only the top frame of an app window may use the bus.');
  // A plain object crosses the bridge as it is, an Error would lose its code and action.
  if ('error' in reply) throw reply.error as unknown as Error;
  return reply.result;
}

function publish(
  topic: string,
  payload: unknown,
  options: PublishOptions & { confirm?: boolean } = {},
): Promise<unknown> | undefined {
  const { confirm, ...rest } = options;
  const params = { topic, payload: payload ?? null, ...rest };
  if (confirm) return call('publish', params);
  post(params);
  return undefined;
}

function respond(pattern: string, handler: Responder): Promise<() => Promise<void>> {
  return subscriptions.add(pattern, (message) => {
    void answerWith(handler, message, (params) => call('respond', params));
  });
}

function takeMessages(lines: string[]): void {
  let characters = 0;
  for (const line of lines) {
    characters += line.length;
    subscriptions.deliver(JSON.parse(line.slice(MESSAGE_HEAD.length, -1)) as Message);
  }
  ipcRenderer.send(Channel.taken, page, characters);
}

function argument(prefix: string): string {
  const found = process.argv.filter((word) => word.startsWith(prefix)).pop();
  return found?.slice(prefix.length) ?? '';
}

const api = {
  app: argument(APP_ARGUMENT),
  client: argument(CLIENT_ARGUMENT),
  publish,
  subscribe: (pattern: string, listener: Listener, { mode }: SubscribeOptions = {}) =>
    subscriptions.add(pattern, listener, { mode: mode === 'acknowledged' ? mode : 'live' }),
  request: (topic: string, payload: unknown, options: object = {}) =>
    call('request', { topic, payload: payload ?? null, ...options }),
  respond,
  send: (app: string, topic: string, payload: unknown, options: object = {}) =>
    call('send', { app, topic, payload: payload ?? null, ...options }),
  permissions: {
    request: (wish: object) => call('permissions.request', wish),
    query: (wish: object) => call('permissions.query', wish),
  },
  state: () => connection,
  onState: (listener: (state: ConnectionState) => void) => signals.on('state', listener),
  onRefused: (listener: (refusal: Refusal) => void) => signals.on('refused', listener),
  onGap: (listener: (gap: Gap) => void) => signals.on('gap', listener),
};

signals.listen();
ipcRenderer.on(Channel.messages, (_event, lines: string[]) => takeMessages(lines));
ipcRenderer.send(Channel.page, page);
contextBridge.exposeInMainWorld('deskbus', api);
