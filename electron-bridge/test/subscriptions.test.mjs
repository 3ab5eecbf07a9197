import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { source } from './source.mjs';

const { Subscriptions } = await source('common/bus/subscriptions.ts');

let sent;
let answers;
let done;
let failures;
let subscriptions;

beforeEach(() => {
  sent = [];
  answers = { subscribe: () => Promise.resolve(), unsubscribe: () => Promise.resolve() };
  done = [];
  failures = [];
  subscriptions = new Subscriptions({
    subscribe: (pattern, { mode, sources }) => {
      const from = (sources ?? []).map(({ app, client = '*' }) => ` ${app}/${client}`).join('');
      sent.push(`subscribe ${pattern}${mode === 'live' ? '' : ` ${mode}`}${from}`);
      return answers.subscribe();
    },
    unsubscribe: (pattern) => {
      sent.push(`unsubscribe ${pattern}`);
      return answers.unsubscribe();
    },
    acknowledge: ({ seq }) => done.push(seq),
    failed: ({ seq }, error) => failures.push(`${seq} ${error.message}`),
  });
});

const settled = () => new Promise((resolve) => setImmediate(resolve));

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

test('a subscription that no message could be handed to is refused, and asked for nowhere', async () => {
  const listen = () => undefined;
  const wrong = { code: -32602, action: /Pass|pass/ };
  await assert.rejects(subscriptions.add('a', undefined), wrong);
  await assert.rejects(subscriptions.add('a', listen, { mode: 'acknowledge' }), wrong);
  await assert.rejects(subscriptions.add('a', listen, 'acknowledged'), wrong);
  await assert.rejects(subscriptions.add('a', listen, null), wrong);
  assert.deepEqual(sent, []);
});

test('a wish that was refused beside another listener is asked for anew', async () => {
  await subscriptions.add('orders', () => undefined);
  answers.subscribe = () => Promise.reject(new Error('denied'));
  const acknowledged = () => subscriptions.add('orders', () => undefined, { mode: 'acknowledged' });
  await assert.rejects(acknowledged(), /denied/);
  answers.subscribe = () => Promise.resolve();
  await acknowledged();
  const asked = 'subscribe orders acknowledged';
  assert.deepEqual(sent, ['subscribe orders', asked, asked]);
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
  subscriptions.renew(false, (pattern) => pattern === 'kept');
  await settled();
  for (const topic of ['kept', 'lost']) subscriptions.deliver({ topic });
  assert.deepEqual(seen, ['kept']);
});

test('a forgotten subscription is asked for again', async () => {
  const seen = [];
  const stop = await subscriptions.add('a', () => seen.push('old'));
  subscriptions.forget('a');
  await stop();
  await subscriptions.add('a', () => seen.push('new'));
  subscriptions.deliver({ topic: 'a' });
  assert.deepEqual(seen, ['new']);
  assert.deepEqual(sent, ['subscribe a', 'subscribe a']);
});

test('what was resumed is not asked for again, but what the other side may not have', async () => {
  await subscriptions.add('stands', () => undefined);
  let answer;
  answers.subscribe = () => new Promise((resolve) => (answer = resolve));
  const asked = subscriptions.add('asked', () => undefined);
  sent.length = 0;
  subscriptions.renew(true, () => true);
  assert.deepEqual(sent, ['subscribe asked']);
  answer();
  await settled();
  sent.length = 0;
  subscriptions.renew(true, () => true);
  assert.deepEqual(sent, []);
  void asked;
});

test('a message is acknowledged when all who acknowledge are done with it', async () => {
  const finish = [];
  const work = () => new Promise((resolve, reject) => finish.push({ resolve, reject }));
  await subscriptions.add('a.#', work, { mode: 'acknowledged' });
  await subscriptions.add('a.b', () => undefined, { mode: 'acknowledged' });
  await subscriptions.add('*.b', () => Promise.reject(new Error('live')).catch(() => undefined));
  await subscriptions.add('live', () => undefined);
  subscriptions.deliver({ topic: 'live', epoch: 'e', seq: 1 });
  subscriptions.deliver({ topic: 'a.b', epoch: 'e', seq: 2 });
  await settled();
  assert.deepEqual(done, []);
  finish[0].resolve();
  await settled();
  assert.deepEqual(done, [2]);
});

test('those that return nothing acknowledge at once', async () => {
  await subscriptions.add('a', () => undefined, { mode: 'acknowledged' });
  for (const seq of [1, 2, 3]) subscriptions.deliver({ topic: 'a', epoch: 'e', seq });
  assert.deepEqual(done, [1, 2, 3]);
});

test('a failure is told, not acknowledged, and does not keep the message from others', async () => {
  const seen = [];
  const thrower = () => {
    throw new Error('thrown');
  };
  await subscriptions.add('a', thrower, { mode: 'acknowledged' });
  await subscriptions.add('a', ({ seq }) => seen.push(seq), { mode: 'acknowledged' });
  await subscriptions.add('b', () => Promise.reject(new Error('rejected')), {
    mode: 'acknowledged',
  });
  subscriptions.deliver({ topic: 'a', epoch: 'e', seq: 1 });
  subscriptions.deliver({ topic: 'b', epoch: 'e', seq: 2 });
  await settled();
  assert.deepEqual(seen, [1]);
  assert.deepEqual(done, []);
  assert.deepEqual(failures, ['1 thrown', '2 rejected']);
});

test('a message that comes again while it is worked on is not worked on twice', async () => {
  const finish = [];
  const work = () => new Promise((resolve, reject) => finish.push({ resolve, reject }));
  await subscriptions.add('a', work, { mode: 'acknowledged' });
  const deliver = (seq, epoch = 'e') => subscriptions.deliver({ topic: 'a', epoch, seq });
  deliver(1);
  deliver(1);
  assert.equal(finish.length, 1);
  deliver(2);
  deliver(1, 'another');
  assert.equal(finish.length, 3);
  finish[0].reject(new Error('failed'));
  await settled();
  deliver(1);
  assert.equal(finish.length, 4);
  finish[3].resolve();
  await settled();
  assert.deepEqual(done, [1]);
});

test('a pattern is acknowledged as long as one of its listeners acknowledges', async () => {
  const live = await subscriptions.add('a', () => undefined);
  const acknowledged = await subscriptions.add('a', () => undefined, { mode: 'acknowledged' });
  await subscriptions.add('a', () => undefined, { mode: 'acknowledged' }).then((stop) => stop());
  await acknowledged();
  subscriptions.deliver({ topic: 'a', epoch: 'e', seq: 1 });
  await live();
  assert.deepEqual(done, []);
  assert.deepEqual(sent, [
    'subscribe a',
    'subscribe a acknowledged',
    'subscribe a',
    'unsubscribe a',
  ]);
});

test('a mode that is refused leaves the listeners that were there', async () => {
  const seen = [];
  await subscriptions.add('a', ({ seq }) => seen.push(seq));
  answers.subscribe = () => Promise.reject(new Error('denied'));
  await assert.rejects(
    subscriptions.add('a', () => undefined, { mode: 'acknowledged' }),
    /denied/,
  );
  subscriptions.deliver({ topic: 'a', epoch: 'e', seq: 1 });
  assert.deepEqual(seen, [1]);
  assert.deepEqual(done, []);
});

test('listeners get what their sources send, and the other side is asked for no more', async () => {
  const seen = [];
  const add = (name, ...sources) =>
    subscriptions.add('a', ({ seq }) => seen.push(`${name} ${seq}`), { sources });
  const deliver = (app, client, seq) =>
    subscriptions.deliver({ topic: 'a', epoch: 'e', seq, sender: { app, client } });
  const one = await add('one', { app: 'x' });
  await add('two', { app: 'x', client: 'main' }, { app: 'y' });
  deliver('x', 'main', 1);
  deliver('x', 'side', 2);
  deliver('y', 'main', 3);
  deliver('z', 'main', 4);
  assert.deepEqual(seen, ['one 1', 'two 1', 'one 2', 'two 3']);
  const all = await subscriptions.add('a', () => undefined);
  await all();
  await one();
  assert.deepEqual(sent, [
    'subscribe a x/*',
    'subscribe a x/* x/main y/*',
    'subscribe a',
    'subscribe a x/* x/main y/*',
    'subscribe a x/main y/*',
  ]);
});

test('sources that are too many for the other side are looked at here alone', async () => {
  const seen = [];
  const sources = Array.from({ length: 101 }, (_, n) => ({ app: `app-${n}` }));
  await subscriptions.add('a', ({ seq }) => seen.push(seq), { sources });
  for (const [seq, app] of ['app-100', 'other'].entries()) {
    subscriptions.deliver({ topic: 'a', epoch: 'e', seq, sender: { app, client: 'c' } });
  }
  assert.deepEqual(sent, ['subscribe a']);
  assert.deepEqual(seen, [0]);
});
