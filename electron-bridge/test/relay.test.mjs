import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { source } from './source.mjs';

const { Relay } = await source('main/relay.ts');

const PAGE = 'page-1';

let asked;
let acknowledged;
let refuses;
let sent;
let relay;
let listeners;

beforeEach(() => {
  listeners = {};
  asked = [];
  acknowledged = [];
  sent = [];
  refuses = false;
  const client = {
    state: 'open',
    on: (name, listener) => (listeners[name] = listener),
    watchSubscribers: () => Promise.resolve([{ app: 'x', client: 'c', pattern: 'a' }]),
    subscribe: (pattern, _listener, { mode, sources }) => {
      asked.push(`${mode} ${pattern}${sources ? ` ${JSON.stringify(sources)}` : ''}`);
      if (refuses) return Promise.reject(new Error('denied'));
      return Promise.resolve(() => Promise.resolve(asked.push(`end ${mode} ${pattern}`)));
    },
    acknowledge: (message) => acknowledged.push(message),
  };
  const contents = {
    isDestroyed: () => false,
    send: (channel, value) => sent.push([channel, value]),
  };
  relay = new Relay(contents, client);
  relay.begin(PAGE);
});

const subscribe = (pattern, mode) => relay.call(PAGE, 'subscribe', { pattern, mode });

test('a page subscribes in the mode it says, live unless told', async () => {
  await subscribe('a', 'acknowledged');
  await subscribe('b', undefined);
  await subscribe('c', 'other');
  await subscribe('c', 'live');
  assert.deepEqual(asked, ['acknowledged a', 'live b', 'live c']);
});

test('another mode comes in the place of the one before, if it is not refused', async () => {
  await subscribe('a', 'live');
  refuses = true;
  assert.ok('error' in (await subscribe('a', 'acknowledged')));
  refuses = false;
  await subscribe('a', 'acknowledged');
  await relay.call(PAGE, 'unsubscribe', { pattern: 'a' });
  assert.deepEqual(asked, [
    'live a',
    'acknowledged a',
    'acknowledged a',
    'end live a',
    'end acknowledged a',
  ]);
});

test('a subscription whose renewal was refused is asked for again', async () => {
  await subscribe('a', 'live');
  const refusal = {
    method: 'bus.subscribe',
    topic: 'a',
    code: 1,
    message: '',
    action: '',
    count: 1,
  };
  listeners.refused(refusal);
  assert.deepEqual(sent.pop(), ['deskbus:refused', refusal]);
  await subscribe('a', 'live');
  assert.deepEqual(asked, ['live a', 'live a']);
});

test('only the page that is there acknowledges, and only what is a message', () => {
  const message = { topic: 'a', epoch: 'e', seq: 1 };
  relay.acknowledge(PAGE, [message, {}, { ...message, seq: '1' }, { ...message, topic: 1 }]);
  relay.acknowledge('page-0', [message]);
  assert.deepEqual(acknowledged, [message]);
});

test('messages of one turn cross together, as they came', async () => {
  sent.length = 0;
  relay.message('one');
  relay.message('two');
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(sent, [['deskbus:messages', ['one', 'two']]]);
});

test('sources are passed on if they have the form of some, and others replace them', async () => {
  const from = (sources) => relay.call(PAGE, 'subscribe', { pattern: 'a', sources });
  await from([{ app: 'x' }]);
  await from([{ app: 'x' }]);
  await from([{ app: 'x' }, { app: 'y', client: 'c' }]);
  for (const wrong of ['x', [null], [{ app: 1 }], [{ app: 'x', client: 1 }]]) {
    assert.equal((await from(wrong)).error.code, -32602);
  }
  assert.deepEqual(asked, [
    'live a [{"app":"x"}]',
    'live a [{"app":"x"},{"app":"y","client":"c"}]',
    'end live a',
  ]);
});

test('a page that watches is told who is there, and then what changes', async () => {
  const who = { app: 'x', client: 'c', pattern: 'a' };
  sent.length = 0;
  listeners.subscriberAdded(who);
  await relay.call(PAGE, 'watch', {});
  listeners.subscriberRemoved(who);
  relay.begin('page-2');
  listeners.subscriberAdded(who);
  assert.deepEqual(
    sent.filter(([channel]) => channel === 'deskbus:subscribers'),
    [
      ['deskbus:subscribers', { all: [who] }],
      ['deskbus:subscribers', { removed: who }],
    ],
  );
});
