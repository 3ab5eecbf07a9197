import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { source } from './source.mjs';

const { Subscriptions } = await source('node/subscriptions.ts');

let sent;
let answers;
let subscriptions;

beforeEach(() => {
  sent = [];
  answers = { subscribe: () => Promise.resolve(), unsubscribe: () => Promise.resolve() };
  const wire = (verb) => (pattern) => {
    sent.push(`${verb} ${pattern}`);
    return answers[verb]();
  };
  subscriptions = new Subscriptions({
    subscribe: wire('subscribe'),
    unsubscribe: wire('unsubscribe'),
  });
});

test('a pattern is subscribed once and left with its last listener', async () => {
  const seen = [];
  const stops = [];
  for (const name of ['one', 'two']) {
    stops.push(await subscriptions.add('prices.#', ({ seq }) => seen.push(`${name} ${seq}`)));
  }
  subscriptions.deliver({ topic: 'prices.eur', seq: 1 });
  await stops[0]();
  await stops[0]();
  subscriptions.deliver({ topic: 'prices.eur', seq: 2 });
  assert.deepEqual(sent, ['subscribe prices.#']);
  await stops[1]();
  subscriptions.deliver({ topic: 'prices.eur', seq: 3 });
  assert.deepEqual(sent, ['subscribe prices.#', 'unsubscribe prices.#']);
  assert.deepEqual(seen, ['one 1', 'two 1', 'two 2']);
});

test('a refused subscription leaves nothing behind and may be tried again', async () => {
  answers.subscribe = () => Promise.reject(new Error('denied'));
  const seen = [];
  await assert.rejects(
    subscriptions.add('secret', () => seen.push(1)),
    /denied/,
  );
  subscriptions.deliver({ topic: 'secret' });
  answers.subscribe = () => Promise.resolve();
  await subscriptions.add('secret', () => seen.push(2));
  subscriptions.deliver({ topic: 'secret' });
  assert.deepEqual(seen, [2]);
  assert.deepEqual(sent, ['subscribe secret', 'subscribe secret']);
});

test('subscriptions are renewed on a new connection, without those that are refused', async () => {
  const seen = [];
  for (const topic of ['kept', 'lost']) {
    await subscriptions.add(topic, () => seen.push(topic));
  }
  answers.subscribe = () => Promise.reject(new Error('denied'));
  subscriptions.renew((pattern) => pattern === 'kept');
  await new Promise((resolve) => setImmediate(resolve));
  for (const topic of ['kept', 'lost']) subscriptions.deliver({ topic });
  assert.deepEqual(seen, ['kept']);
});
