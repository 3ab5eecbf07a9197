import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';
import { Backend, EPOCH, HEAD } from './backend.mjs';
import { source } from './source.mjs';

const { Client, dial } = await source('node/client.ts', 'node/link/dial.ts');

let backend;
let client;

beforeEach(async () => {
  backend = new Backend();
  await backend.listen();
  client = new Client({
    dial,
    app: 'com.example.app',
    renewable: true,
    ticketProvider: () => Promise.resolve({ ticket: 't', pipe: backend.pipe }),
  });
  await client.open();
});

afterEach(async () => {
  await client.close();
  await backend.close();
});

const becomes = (state) =>
  new Promise((resolve) => {
    const stop = client.on('state', (now) => {
      if (now !== state) return;
      stop();
      resolve();
    });
  });

/** Resolves with the messages that the subscription got, when there are so many. */
async function collect(pattern, count) {
  const seen = [];
  let done;
  const all = new Promise((resolve) => (done = resolve));
  await client.subscribe(pattern, (message) => {
    seen.push(message);
    if (seen.length === count) done();
  });
  return async () => {
    await all;
    return seen;
  };
}

test('a client that is closed leaves for good, also while it is paused', async () => {
  client.pause();
  await client.close();
  assert.equal((await backend.calls('session.leave', 1)).length, 1);
  assert.equal(client.state, 'closed');
});

test('a client that is closed to come back, or that lost its connection, does not leave', async () => {
  backend.drop();
  await becomes('open');
  const ended = once(backend.sockets[1], 'end');
  await client.close({ keep: true });
  await ended;
  assert.ok(backend.frames.every(({ method }) => method !== 'session.leave'));
});

test('more than the read buffer holds arrives whole and in order', async () => {
  const arrived = await collect('a', 3000);
  const text = 'é🙂'.repeat(40);
  const sent = Array.from({ length: 3000 }, (_, seq) => ({ topic: 'a', seq, payload: text + seq }));
  backend.send(...sent);
  const seen = await arrived();
  assert.deepEqual(
    seen.map(({ topic, seq, payload }) => ({ topic, seq, payload })),
    sent,
  );
});

test("clients that read at the same time do not get each other's messages", async () => {
  const clients = [];
  for (const name of ['one', 'two', 'three']) {
    const other = new Client({
      dial,
      app: 'com.example.app',
      renewable: false,
      ticketProvider: () => Promise.resolve({ ticket: 't', pipe: backend.pipe }),
    });
    await other.open();
    const seen = [];
    const all = new Promise((resolve) => {
      void other.subscribe('a', ({ payload }) => {
        seen.push(payload);
        if (seen.length === 2000) resolve();
      });
    });
    clients.push({ name, other, seen, all, socket: backend.sockets[backend.sockets.length - 1] });
  }
  for (let part = 0; part < 20; part += 1) {
    for (const { name, socket } of clients) {
      const params = { topic: 'a', payload: name.repeat(50) };
      socket.write(`${HEAD}${JSON.stringify(params)}}\n`.repeat(100));
    }
  }
  for (const { name, other, seen, all } of clients) {
    await all;
    assert.ok(seen.every((payload) => payload === name.repeat(50)));
    await other.close();
  }
});

test('a paused client reads nothing until it goes on', async () => {
  const arrived = await collect('a', 1);
  client.pause();
  backend.send({ topic: 'a', seq: 1 });
  // The socket's content would be read before this server's answers to another client.
  const other = new Client({
    dial,
    app: 'com.example.app',
    renewable: false,
    ticketProvider: () => Promise.resolve({ ticket: 't', pipe: backend.pipe }),
  });
  await other.open();
  await other.close();
  let early = true;
  const seen = arrived().then(() => assert.equal(early, false));
  await new Promise((resolve) => setImmediate(resolve));
  early = false;
  client.resume();
  await seen;
});

test('a client whose connection ends comes back and subscribes again', async () => {
  await client.subscribe('a', () => undefined);
  const back = becomes('open');
  backend.drop();
  await back;
  const [{ pattern, mode }] = await backend.calls('bus.continue', 1);
  assert.deepEqual([pattern, mode], ['a', 'live']);
  const sessions = await backend.calls('session.open', 2);
  assert.deepEqual(
    sessions.map(({ resume }) => resume),
    [false, true],
  );
});

test('a subscription that is not permitted any more has ended, and is told', async () => {
  await client.subscribe('a', () => undefined);
  await client.subscribe('b', () => undefined);
  const refused = new Promise((resolve) => client.on('refused', resolve));
  const changed = { app: 'com.example.app', epoch: 2, closed: ['a', 'not ours'] };
  backend.write(backend.sockets[0], {
    jsonrpc: '2.0',
    method: 'permissions.changed',
    params: changed,
  });
  const { topic, method, code } = await refused;
  assert.deepEqual([topic, method, code], ['a', 'bus.subscribe', -32027]);
  const back = becomes('open');
  backend.drop();
  await back;
  const again = await backend.calls('bus.continue', 1);
  assert.deepEqual(
    again.map(({ pattern }) => pattern),
    ['b'],
  );
});

test('a client that is taken up again does not subscribe, and ends what it left meanwhile', async () => {
  const heard = [];
  await client.subscribe('kept', ({ seq }) => heard.push(seq));
  const stop = await client.subscribe('left', () => undefined);
  backend.opened.resumed = true;
  const away = becomes('resuming');
  const back = becomes('open');
  backend.drop();
  await away;
  await stop();
  await back;
  const [{ pattern }] = await backend.calls('bus.unsubscribe', 1);
  assert.equal(pattern, 'left');
  backend.send({ topic: 'kept', seq: 1 });
  await client.call('session.ping', {});
  assert.deepEqual(heard, [1]);
  assert.equal((await backend.calls('bus.subscribe', 2)).length, 2);
});

test('acknowledgements of one turn leave together, a thousand at most', async () => {
  await client.subscribe('a.#', () => undefined, { mode: 'acknowledged' });
  await client.subscribe('b', () => undefined);
  const sent = Array.from({ length: 1500 }, (_, seq) => ({ topic: 'a.b', seq }));
  backend.send({ topic: 'b', seq: 1 }, ...sent, { topic: 'a', seq: 1 });
  const seqs = { 'a.b': [], a: [] };
  let count = 1;
  while (seqs.a.length < 1 || seqs['a.b'].length < sent.length) {
    const calls = await backend.calls('bus.ack', count);
    for (const call of calls.slice(count - 1)) {
      assert.ok(call.seqs.length <= 1000);
      seqs[call.topic].push(...call.seqs);
    }
    count = calls.length + 1;
  }
  assert.deepEqual(seqs, { 'a.b': sent.map(({ seq }) => seq), a: [1] });
  assert.ok(count < 30, `${count} frames`);
  assert.deepEqual(
    (await backend.calls('bus.subscribe', 2)).map(({ mode }) => mode),
    ['acknowledged', 'live'],
  );
});

test('what was finished while away is acknowledged later, and to its own run', async () => {
  const finish = [];
  const work = () => new Promise((resolve) => finish.push(resolve));
  await client.subscribe('a', work, { mode: 'acknowledged' });
  backend.send({ topic: 'a', seq: 1 }, { topic: 'a', seq: 2 }, { topic: 'a', seq: 9, epoch: 'e0' });
  await client.call('session.ping', {});
  for (const epoch of [EPOCH, 'e2']) {
    backend.opened = { ...backend.opened, epoch, resumed: epoch === EPOCH };
    const away = becomes('resuming');
    const back = becomes('open');
    backend.drop();
    await away;
    finish.shift()();
    await back;
  }
  finish.shift()();
  await client.call('session.ping', {});
  assert.deepEqual(await backend.calls('bus.ack', 2), [
    { topic: 'a', seqs: [1] },
    { topic: 'a', seqs: [9], epoch: 'e0' },
  ]);
});

test('a failure of an acknowledging listener is an event', async () => {
  const failed = new Promise((resolve) => client.once('failed', resolve));
  await client.subscribe('a', () => Promise.reject(new Error('no')), { mode: 'acknowledged' });
  backend.send({ topic: 'a', seq: 1, redelivery: 2 });
  const { message, error } = await failed;
  assert.equal(error.message, 'no');
  assert.deepEqual([message.seq, message.redelivery], [1, 2]);
});

test('a confirmed publish is a call, whose options cross as they are', async () => {
  const options = { confirm: true, durable: true, ttl: 5 };
  await client.publish('a', undefined, options);
  assert.equal(client.publish('b', 1), true);
  assert.deepEqual(await backend.calls('bus.publish', 2), [
    { topic: 'a', payload: null, durable: true, ttl: 5 },
    { topic: 'b', payload: 1 },
  ]);
  assert.equal(options.confirm, true);
});
