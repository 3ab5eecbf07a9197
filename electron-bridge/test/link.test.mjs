import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { beforeEach, test } from 'node:test';
import { source } from './source.mjs';

const { Link } = await source('node/link/link.ts');
const { toJson } = await source('common/json.ts');

let output;
let link;
let messages;
let notifications;

beforeEach(() => {
  output = new PassThrough();
  messages = [];
  notifications = [];
  link = new Link(output, {
    onMessage: (message) => messages.push(message),
    onNotification: (method) => notifications.push(method),
    onClose: () => undefined,
  });
});

const receive = (text) => link.feed(Buffer.from(`${text}\n`));
const settled = () => new Promise((resolve) => setImmediate(resolve));
async function written() {
  await settled();
  return String(output.read() ?? '')
    .split('\n')
    .filter(Boolean);
}

test('publishes leave in the compact form, those of one turn in one write', async () => {
  const chunks = [];
  output.on('data', (chunk) => chunks.push(String(chunk)));
  link.publish('a.b', toJson({ n: 1 }), '');
  link.publish('a.b', toJson(undefined), ',"ttl":5');
  await settled();
  const head = '{"jsonrpc":"2.0","method":"bus.publish","params":{"topic":"a.b","payload":';
  assert.deepEqual(chunks, [`${head}{"n":1}}}\n${head}null,"ttl":5}}\n`]);
});

test('answers find their calls, errors carry code and action', async () => {
  const good = link.call('session.ping', {});
  const bad = link.call('apps.list', {});
  const data = { category: 'permission', retryable: false, action: 'Ask.' };
  receive(JSON.stringify({ jsonrpc: '2.0', id: 2, error: { code: -32010, message: 'No.', data } }));
  receive('{"jsonrpc":"2.0","id":99,"result":{}}');
  receive('{"jsonrpc":"2.0","id":1,"result":{"x":1}}');
  assert.deepEqual(await good, { x: 1 });
  await assert.rejects(bad, { name: 'DeskbusError', code: -32010, message: 'No.', ...data });
});

test('a closed link rejects what waits, at once', async () => {
  const waiting = link.call('session.ping', {});
  link.close();
  await assert.rejects(waiting, { code: -32024 });
  await assert.rejects(link.call('session.ping', {}), { code: -32024 });
});

test('a call that takes too long is cancelled at the other side', async () => {
  await assert.rejects(link.call('session.ping', {}, { timeout: 1 }), { code: -32015 });
  const [, cancel] = await written();
  assert.equal(cancel, '{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}');
});

test('a call that is not wanted any more is cancelled at the other side', async () => {
  const stop = new AbortController();
  const { signal } = stop;
  const call = link.call('session.ping', {}, { signal });
  const answered = link.call('session.ping', {}, { signal });
  receive('{"jsonrpc":"2.0","id":2,"result":{}}');
  await answered;
  stop.abort();
  await assert.rejects(call, { code: -32800 });
  receive('{"jsonrpc":"2.0","id":1,"result":{}}');
  await assert.rejects(link.call('session.ping', {}, { signal }), { code: -32800 });
  const [, , ...after] = await written();
  assert.deepEqual(after, ['{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}']);
});

test('calls of the backend are answered once, and tell nothing of an unknown fault', async () => {
  link.handle('ui.good', (params) => ({ got: params }));
  link.handle('ui.bad', () => {
    throw new Error('path /secret');
  });
  link.handle('ui.slow', () => new Promise(() => undefined));
  for (const [id, method] of ['ui.good', 'ui.bad', 'ui.none', 'ui.slow'].entries()) {
    receive(JSON.stringify({ jsonrpc: '2.0', id: `b${id}`, method, params: {} }));
  }
  receive('{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":"b3"}}');
  const answers = (await written()).map((line) => JSON.parse(line));
  const byId = Object.fromEntries(answers.map((answer) => [answer.id, answer]));
  assert.equal(answers.length, 4);
  assert.deepEqual(byId.b0.result, { got: {} });
  assert.equal(byId.b1.error.code, -32603);
  assert.ok(!JSON.stringify(byId.b1).includes('secret'));
  assert.equal(byId.b2.error.code, -32601);
  assert.equal(byId.b3.error.code, -32800);
});

test('text payloads are written as JSON writes them', () => {
  const marks = [
    '',
    'plain',
    'é🙂',
    '"',
    '\\',
    '\n',
    '\u0000',
    '\u007f',
    '\u2028',
    '\ud800\udfff',
    '\\ud800',
    '\\\\ud800',
    '\\ud83d😀',
  ];
  for (const text of marks) assert.equal(toJson(`a${text}`), JSON.stringify(`a${text}`));
});

test('publishes on several topics in turn keep their own', async () => {
  for (const topic of ['', 'a', 'b', 'a', 'q"']) link.publish(topic, '1', '');
  const topics = (await written()).map((line) => JSON.parse(line).params.topic);
  assert.deepEqual(topics, ['', 'a', 'b', 'a', 'q"']);
});

test('messages are understood in the compact form and in any other, in the order they came', () => {
  const lines = [
    '{"jsonrpc":"2.0","method":"bus.message","params":{"topic":"a","seq":1}}',
    '{"method": "bus.message", "params": {"topic": "a", "seq": 2}, "jsonrpc": "2.0"}',
    '{"jsonrpc":"2.0","method":"bus.gap","params":{}}',
    '{"jsonrpc":"2.0","method":"bus.message","params":{"topic":"b","seq":3}}',
  ];
  receive(lines.join('\n'));
  assert.deepEqual(
    messages.map(({ topic, seq }) => [topic, seq]),
    [
      ['a', 1],
      ['a', 2],
      ['b', 3],
    ],
  );
  assert.deepEqual(notifications, ['bus.gap']);
  const seen = [];
  const raw = new Link(output, {
    onMessageLine: (line) => seen.push(line),
    onNotification: () => undefined,
    onClose: () => undefined,
  });
  raw.feed(Buffer.from(`${lines.join('\n')}\n`));
  assert.deepEqual(
    seen.map((line) => JSON.parse(line).params.seq),
    [1, 2, 3],
  );
  assert.equal(seen[0], lines[0]);
});

const cycle = {};
cycle.self = cycle;
const nested = (depth) => JSON.parse('['.repeat(depth) + ']'.repeat(depth));
const unsayable = {
  'a function': () => 1,
  'a symbol': Symbol('x'),
  'a BigInt': { n: 1n },
  'a cycle': cycle,
  'a toJSON that throws': {
    toJSON() {
      throw new Error('no');
    },
  },
  'half of a pair': 'cut \ud83d',
  'half of a pair in a key': { '\ude00': 1 },
  'half of a pair behind backslashes': '\\\\\ud83d',
  'a hundred levels too many': nested(200),
};

for (const [name, value] of Object.entries(unsayable)) {
  test(`${name} is refused at the call, whatever the call is, and nothing leaves`, async () => {
    const refused = { name: 'DeskbusError', code: -32602 };
    assert.throws(() => toJson(value), refused);
    // Among members JSON leaves these out, as everywhere in JavaScript.
    if (['function', 'symbol'].includes(typeof value)) return;
    assert.throws(() => link.notify('bus.publish', { topic: 'a', payload: value }), refused);
    await assert.rejects(link.call('bus.send', { app: 'a', topic: 'b', payload: value }), refused);
    assert.deepEqual(await written(), []);
  });
}

test('values are as deep as the backend takes them, and brackets in strings are none', async () => {
  for (const around of [1, 2]) {
    assert.equal(toJson(nested(128 - around), around).length, 2 * (128 - around));
    assert.throws(() => toJson(nested(129 - around), around), { code: -32602 });
  }
  const brackets = ['"[{'.repeat(300), '\\"['.repeat(300), '\\'];
  assert.equal(toJson(brackets), JSON.stringify(brackets));
});

test('a frame that is too large is refused at the call, to the byte', async () => {
  const frame = (text) => `{"jsonrpc":"2.0","method":"a.b","params":${JSON.stringify(text)}}\n`;
  const room = 4 * 1024 * 1024 - frame('').length;
  for (const [character, bytes] of [
    ['x', 1],
    ['€', 3],
  ]) {
    const fits = character.repeat(Math.floor(room / bytes));
    link.notify('a.b', fits);
    const refused = { name: 'DeskbusError', code: -32016 };
    assert.throws(() => link.notify('a.b', fits + character), refused);
    await assert.rejects(link.call('a.b', fits), refused);
    assert.deepEqual((await written()).length, 1);
  }
});

test('a handler whose result can not be sent answers with an error', async () => {
  link.handle('test.bad', () => 1n);
  link.handle('test.big', () => 'x'.repeat(4 * 1024 * 1024));
  receive('{"jsonrpc":"2.0","id":1,"method":"test.bad","params":{}}');
  receive('{"jsonrpc":"2.0","id":2,"method":"test.big","params":{}}');
  const answers = (await written()).map((line) => JSON.parse(line));
  assert.deepEqual(
    answers.map(({ id, error }) => [id, error.code]),
    [
      [1, -32602],
      [2, -32016],
    ],
  );
});

test('an error that names no call is told as a refusal', () => {
  const told = [];
  const other = new Link(output, {
    onNotification: (method, params) => told.push([method, params]),
    onClose: () => undefined,
  });
  const data = { category: 'limit', retryable: false, action: 'Send less.' };
  const error = { code: -32016, message: 'Too large.', data };
  other.feed(Buffer.from(`${JSON.stringify({ jsonrpc: '2.0', id: null, error })}\n`));
  const { code, message } = error;
  const refusal = { method: '', code, message, action: 'Send less.', count: 1 };
  assert.deepEqual(told, [['bus.refused', refusal]]);
});

test('no timer ends a call early that may take longer than a timer can', async () => {
  const call = link.call('session.ping', {}, { timeout: Infinity });
  await settled();
  receive('{"jsonrpc":"2.0","id":1,"result":{}}');
  assert.deepEqual(await call, {});
});
