import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, beforeEach, test } from 'node:test';
import { Backend, EPOCH } from './backend.mjs';
import { source } from './source.mjs';

const { Client, dial } = await source('node/client.ts', 'node/link/dial.ts');

const LIMIT = { timeout: 5000 };

let backend;
let client;

beforeEach(async () => {
  backend = new Backend();
  await backend.listen();
  backend.opened.resumeToken = 'token-1';
});

afterEach(async () => {
  await client.close();
  await backend.close();
});

async function connect(options = {}) {
  client = new Client({
    dial,
    app: 'com.example.app',
    renewable: true,
    ticketProvider: () => Promise.resolve({ ticket: 't', pipe: backend.pipe }),
    ...options,
  });
  await client.open();
}

const becomes = (state) =>
  new Promise((resolve) => {
    const stop = client.on('state', (now) => {
      if (now !== state) return;
      stop();
      resolve();
    });
  });

const resumes = (resumeToken) => () => ({
  result: { ...backend.opened, resumed: true, resumeToken },
});
const refuses = () => ({ error: { code: -32013, message: 'There is no session to resume.' } });

const message = (topic, seq) => ({
  jsonrpc: '2.0',
  method: 'bus.message',
  params: { topic, sender: { app: 'a', client: 'c' }, epoch: EPOCH, seq, timestamp: 1, payload: 1 },
});

async function cut() {
  const back = becomes('open');
  backend.drop();
  await back;
}

test('a session is resumed with its token and the last seqs that came in this run', async () => {
  await connect();
  const states = [];
  client.on('state', (state) => states.push(state));
  backend.answers['session.resume'] = resumes('token-2');
  await client.subscribe('#', () => undefined);
  backend.send({ topic: 'a', seq: 1 }, { topic: 'a', seq: 2 }, { topic: 'b', seq: 7, ttl: 5 });
  backend.send({ topic: 'a', seq: 9, epoch: 'e0' }, { topic: 'a', seq: 2 ** 40 + 1 });
  backend.send({ topic: 'b', seq: 6, redelivery: 1 }, { topic: '__proto__', seq: 3 });
  await client.call('session.ping', {});
  await cut();
  await cut();
  const [first, second] = await backend.calls('session.resume', 2);
  assert.equal(first.resumeToken, 'token-1');
  assert.deepEqual(Object.entries(first.lastSeqs), [
    ['a', 2],
    ['b', 7],
    ['__proto__', 3],
  ]);
  assert.equal(second.resumeToken, 'token-2');
  assert.equal((await backend.calls('session.open', 1)).length, 1);
  assert.equal((await backend.calls('bus.subscribe', 1)).length, 1);
  assert.deepEqual(states, ['resuming', 'open', 'resuming', 'open']);
});

test('where resuming is refused a ticket opens the session anew', async () => {
  await connect();
  backend.answers['session.resume'] = refuses;
  await cut();
  const sessions = await backend.calls('session.open', 2);
  assert.deepEqual(
    sessions.map(({ resume }) => resume),
    [false, true],
  );
});

test('a session that is opened anew goes on behind what came, in order and once', async () => {
  await connect();
  const heard = [];
  const gaps = [];
  client.on('gap', ({ epoch, first, last }) => gaps.push([epoch, first, last]));
  await client.subscribe('a.#', ({ epoch, seq }) => heard.push(`${epoch} ${seq}`));
  backend.send({ topic: 'a.b', seq: 1 }, { topic: 'a.b', seq: 2, timestamp: 9e15 });
  await client.call('session.ping', {});
  backend.answers['session.resume'] = refuses;
  backend.opened = { ...backend.opened, epoch: 'e2' };
  const tell = (method, params) =>
    backend.write(backend.sockets[backend.sockets.length - 1], { jsonrpc: '2.0', method, params });
  const lost = (epoch, first, last, reason) =>
    tell('bus.gap', { topic: 'a.b', epoch, first, last, reason });
  backend.answers['bus.continue'] = () => {
    // Before the word of the beginning, this is ahead of what is owed.
    backend.send({ topic: 'a.b', seq: 4, epoch: 'e2' });
    lost('e1', 1, 2 ** 40 - 1, 'restarted');
    lost('e1', 1, 2 ** 40 - 1, 'restarted');
    tell('bus.continued', { pattern: 'a.#' });
    backend.send({ topic: 'a.b', seq: 1 }, { topic: 'a.b', seq: 2 });
    backend.send({ topic: 'a.b', seq: 3, epoch: 'e2' }, { topic: 'a.b', seq: 4, epoch: 'e2' });
    backend.send({ topic: 'a.b', seq: 4, epoch: 'e2' });
    return { result: { messages: 5, mark: backend.mark } };
  };
  await cut();
  const [{ mark, since, seen }] = await backend.calls('bus.continue', 1);
  const [, { lastSeqs }] = await backend.calls('session.open', 2);
  await client.call('session.ping', {});
  backend.send({ topic: 'a.b', seq: 5, epoch: 'e2' });
  await client.call('session.ping', {});
  assert.deepEqual([mark, since], [backend.mark, undefined]);
  assert.deepEqual({ ...lastSeqs }, { 'a.b': 2 });
  assert.deepEqual(seen, { e1: { 'a.b': 2 } });
  assert.deepEqual(gaps, [['e1', 3, 2 ** 40 - 1]]);
  assert.deepEqual(heard, ['e1 1', 'e1 2', 'e2 3', 'e2 4', 'e2 5']);
});

test('what was not acknowledged before a restart is asked for, and acknowledged, by its run', async () => {
  await connect();
  const heard = [];
  const finish = new Map();
  const work = ({ seq, redelivery }) => {
    heard.push([seq, redelivery]);
    return new Promise((resolve) => finish.set(seq, resolve));
  };
  await client.subscribe('jobs.#', work, { mode: 'acknowledged' });
  await client.subscribe('news', () => undefined);
  backend.send({ topic: 'jobs.a', seq: 1, timestamp: 5 }, { topic: 'jobs.a', seq: 2 });
  backend.send({ topic: 'jobs.a', seq: 3, timestamp: 9e15 }, { topic: 'jobs.a', seq: 4 });
  backend.send({ topic: 'jobs.a', seq: 2 ** 40 + 1 }, { topic: 'news', seq: 1 });
  backend.send({ topic: 'jobs.a', seq: 4, redelivery: 3 });
  await client.call('session.ping', {});
  finish.get(2)();
  const [first] = await backend.calls('bus.ack', 1);
  assert.deepEqual(first, { topic: 'jobs.a', seqs: [2] });
  backend.answers['session.resume'] = refuses;
  backend.opened = { ...backend.opened, epoch: 'e2' };
  backend.answers['bus.continue'] = ({ params: { pattern } }, socket) => {
    backend.write(socket, { jsonrpc: '2.0', method: 'bus.continued', params: { pattern } });
    if (pattern === 'jobs.#') backend.send({ topic: 'jobs.a', seq: 1, redelivery: 1 });
    return { result: { messages: 1, mark: backend.mark } };
  };
  await cut();
  const continued = await backend.calls('bus.continue', 2);
  assert.deepEqual(
    continued.map(({ pattern, unacknowledged }) => [pattern, unacknowledged]),
    [
      // A message that came for the last time is dead by now.
      ['jobs.#', { since: 5, seqs: { e1: { 'jobs.a': [1, 3] } } }],
      ['news', undefined],
    ],
  );
  await client.call('session.ping', {});
  finish.get(1)();
  const [, second] = await backend.calls('bus.ack', 2);
  assert.deepEqual(second, { topic: 'jobs.a', seqs: [1], epoch: 'e1' });
});

test('what a cut left unfinished goes on at the next connection, though that resumes', async () => {
  await connect();
  const heard = [];
  await client.subscribe('a', ({ seq }) => heard.push(seq));
  await client.subscribe('b', () => undefined);
  backend.answers['session.resume'] = refuses;
  backend.answers['bus.continue'] = ({ params }, socket) => {
    if (params.pattern === 'a') socket.destroy();
    return { result: { messages: 0, mark: backend.mark } };
  };
  await cut();
  await becomes('resuming');
  delete backend.answers['bus.continue'];
  backend.answers['session.resume'] = (frame, socket) => {
    // The queue of a subscription that has a hole before it.
    backend.write(socket, message('a', 7));
    return resumes('token-3')(frame);
  };
  await becomes('open');
  await backend.calls('bus.continue', 3);
  await client.call('session.ping', {});
  assert.deepEqual(heard, []);
});

test('a client with one ticket resumes, and is closed when that is refused', async () => {
  await connect({ renewable: false });
  backend.answers['session.resume'] = resumes('token-2');
  await cut();
  backend.answers['session.resume'] = refuses;
  const closed = becomes('closed');
  backend.drop();
  await closed;
  assert.equal((await backend.calls('session.open', 1)).length, 1);
});

test(
  'a client with one ticket tries again while the backend has no room for it',
  LIMIT,
  async () => {
    await connect({ renewable: false });
    let asked = 0;
    backend.answers['session.resume'] = () => {
      asked += 1;
      if (asked > 1) return resumes('token-2')();
      const data = { category: 'limit', retryable: true, action: 'Wait.' };
      return { error: { code: -32017, message: 'Too much is in flight.', data } };
    };
    await cut();
    assert.equal(asked, 2);
  },
);

test(
  'a topic that can not be sent is refused at the call, also where it is traced',
  LIMIT,
  async () => {
    backend.opened.tracing = { ratio: 1, topics: [], maxPerS: 100 };
    await connect();
    const uncaught = [];
    const note = (error) => uncaught.push(error);
    process.on('uncaughtException', note);
    assert.throws(() => client.publish('half.\ud83d', 1), { code: -32602 });
    client.publish('whole', 1);
    await backend.calls('traces.record', 1);
    process.off('uncaughtException', note);
    assert.deepEqual(uncaught, []);
  },
);

test('a client that lost the answer tries again, and takes a ticket at last', async () => {
  await connect();
  let asked = 0;
  backend.answers['session.resume'] = (_frame, socket) => {
    asked += 1;
    if (asked > 1) return refuses();
    socket.destroy();
    return undefined;
  };
  await cut();
  assert.equal(asked, 2);
  assert.equal((await backend.calls('session.open', 2)).length, 2);
});

test('calls made meanwhile are refused, or wait if they are told to', async () => {
  await connect();
  backend.answers['session.resume'] = resumes('token-2');
  const lost = client.call('apps.list', {});
  backend.answers['apps.list'] = (_frame, socket) => void socket.destroy();
  const away = becomes('resuming');
  const back = becomes('open');
  await assert.rejects(lost, { category: 'unavailable' });
  await away;
  delete backend.answers['apps.list'];
  const queued = { whileClosed: 'queue' };
  await assert.rejects(client.call('apps.list', {}), { category: 'unavailable' });
  await assert.rejects(client.request('a', 1, { ...queued, timeout: 1 }), { category: 'timeout' });
  const stop = new AbortController();
  const unwanted = client.request('a', 1, { ...queued, signal: stop.signal });
  stop.abort();
  await assert.rejects(unwanted, { code: -32800 });
  await assert.rejects(client.request('a', 1, { ...queued, signal: stop.signal }), {
    code: -32800,
  });
  const late = client.call('apps.list', {}, { ...queued, timeout: 1 });
  const waits = Array.from({ length: 999 }, () => client.call('apps.list', {}, queued));
  await assert.rejects(client.call('apps.list', {}, queued), { category: 'limit' });
  await assert.rejects(late, { category: 'timeout' });
  await back;
  assert.equal((await Promise.all(waits)).length, 999);
});

test('publishes made meanwhile are refused or wait, in order with the calls, as they were', async () => {
  await connect();
  const refused = [];
  client.on('refused', (refusal) => refused.push(refusal));
  backend.answers['session.resume'] = resumes('token-2');
  const away = becomes('resuming');
  const back = becomes('open');
  backend.sockets[0].destroy();
  await away;
  const queued = { whileClosed: 'queue' };
  assert.throws(() => client.publish('a', 0), { category: 'unavailable' });
  const payload = { n: 1 };
  assert.equal(client.publish('a', payload, queued), true);
  const confirmed = client.publish('a', { n: 2 }, { ...queued, confirm: true });
  assert.equal(client.publish('a', { n: 3 }, { ...queued, priority: 9 }), true);
  payload.n = 4;
  assert.throws(() => client.publish('a', 1n, queued), { code: -32602 });
  assert.throws(() => client.publish('a', 'x'.repeat(4 * 1024 * 1024), queued), { code: -32016 });
  const large = 'x'.repeat(3 * 1024 * 1024);
  for (let n = 0; n < 5; n += 1) client.publish('b', large, queued);
  assert.throws(() => client.publish('b', large, queued), { category: 'limit' });
  await back;
  await confirmed;
  client.publish('a', { n: 5 });
  await client.call('session.ping', {});
  const published = backend.frames.filter(({ method }) => method === 'bus.publish');
  const ours = published.map(({ params }) => params).filter(({ topic }) => topic === 'a');
  assert.deepEqual(
    ours.map(({ payload: { n } }) => n),
    [1, 2, 3, 5],
  );
  assert.equal(ours[2].priority, 9);
  assert.equal(published.length, 9);
  assert.deepEqual(refused, []);
});

test('publishes that wait are told as refused when there will be no connection', async () => {
  await connect();
  const refused = [];
  client.on('refused', (refusal) => refused.push(refusal));
  const away = becomes('resuming');
  backend.answers['session.resume'] = (_frame, socket) => void socket.destroy();
  backend.sockets[0].destroy();
  await away;
  client.publish('a', 1, { whileClosed: 'queue' });
  await client.close();
  assert.deepEqual(
    refused.map(({ method, topic, count }) => [method, topic, count]),
    [['bus.publish', 'a', 1]],
  );
});

test('a request ends by its own timeout though the backend says nothing', async () => {
  await connect();
  backend.mute = true;
  await assert.rejects(client.request('a', 1, { timeout: 20 }), { category: 'timeout' });
});

test('a responder whose answer can not be sent fails at once', async () => {
  await connect();
  const values = { bigint: 1n, function: () => 1, half: '\ud83d', large: 'x'.repeat(5_000_000) };
  await client.respond('q', (payload) => values[payload]);
  const sent = Object.keys(values).map((payload, at) => {
    return { topic: 'q', seq: at + 1, payload, replyTo: payload };
  });
  backend.send(...sent);
  const answers = () => backend.frames.filter(({ method }) => method === 'bus.respond');
  while (answers().length < sent.length) await once(backend.server, 'frame');
  for (const { params } of answers()) {
    assert.match(params.error.message, /./);
    assert.equal('payload' in params, false);
  }
});

test("a responder's error is told, whatever is in it and however long it is", LIMIT, async () => {
  await connect();
  const words = ['half \ud83d', 'x'.repeat(999) + '\ud83d\ude00 cut', '\ud83d\ude00'.repeat(2000)];
  await client.respond('q', (at) => {
    throw new Error(words[at]);
  });
  const uncaught = [];
  const note = (error) => uncaught.push(error);
  process.on('uncaughtException', note);
  backend.send(
    ...words.map((_, at) => ({ topic: 'q', seq: at + 1, payload: at, replyTo: String(at) })),
  );
  const answers = () => backend.frames.filter(({ method }) => method === 'bus.respond');
  while (answers().length < words.length && uncaught.length === 0) {
    await once(backend.server, 'frame');
  }
  process.off('uncaughtException', note);
  assert.deepEqual(uncaught, []);
  assert.deepEqual(
    answers().map(({ params }) => params.error.message),
    ['half \ufffd', 'x'.repeat(999) + '\ud83d\ude00', '\ud83d\ude00'.repeat(1000)],
  );
});

test('a responder that is no function is refused at the call', async () => {
  await connect();
  await assert.rejects(client.respond('q', undefined), { code: -32602, action: /function/ });
});

test('calls that wait for a connection are refused when there will be none', async () => {
  await connect({ whileClosed: 'queue' });
  const away = becomes('resuming');
  backend.drop();
  await away;
  const call = assert.rejects(client.call('apps.list', {}), { category: 'unavailable' });
  await client.close();
  await call;
  await assert.rejects(client.call('apps.list', {}), { category: 'unavailable' });
});

test('a backend that does not answer is given up and found again', async () => {
  await connect({ heartbeat: { intervalMs: 20, deadlineMs: 60 } });
  backend.answers['session.resume'] = resumes('token-2');
  await backend.calls('session.ping', 2);
  assert.equal(client.state, 'open');
  const away = becomes('resuming');
  const back = becomes('open');
  backend.mute = true;
  await away;
  backend.mute = false;
  await back;
});

test('a durable publish needs confirm, and the former name of respond still works', async () => {
  await connect();
  const needsConfirm = { message: /needs confirm/ };
  assert.throws(() => client.publish('a', 1, { durable: true }), needsConfirm);
  assert.throws(() => client.publish('a', 1, { durable: true, confirm: false }), needsConfirm);
  await client.respondTo('q', () => 1);
  assert.equal((await backend.calls('bus.subscribe', 1))[0].pattern, 'q');
});

test('who subscribes is told, across connections too', async () => {
  await connect();
  backend.answers['session.resume'] = resumes('token-2');
  const who = (client) => ({ app: 'x', client, pattern: 'a' });
  const list =
    (...names) =>
    () => ({ result: { subscribers: names.map(who) } });
  const words = [];
  client.on('subscriberAdded', ({ client: name }) => words.push(`+${name}`));
  client.on('subscriberRemoved', ({ client: name }) => words.push(`-${name}`));
  const tell = (method, name) =>
    backend.write(backend.sockets[backend.sockets.length - 1], {
      jsonrpc: '2.0',
      method: `bus.subscriber${method}`,
      params: who(name),
    });
  backend.answers['bus.watchSubscribers'] = list('one', 'two');
  assert.deepEqual(await client.watchSubscribers(), [who('one'), who('two')]);
  tell('Added', 'three');
  tell('Removed', 'one');
  await client.call('session.ping', {});
  assert.deepEqual(words.splice(0), ['+one', '+two', '+three', '-one']);
  backend.answers['bus.watchSubscribers'] = list('two', 'four');
  await cut();
  await client.watchSubscribers();
  assert.deepEqual(words, ['-three', '+four']);
});
