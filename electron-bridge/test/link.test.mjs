import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { beforeEach, test } from 'node:test';
import { source } from './source.mjs';

const { Link, toJson } = await source('node/link.ts');

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
    '\ud800',
    '\udfff',
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
