import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { source } from './source.mjs';

const { PageLink, MAX_HELD_CHARACTERS } = await source('page/link.ts');
const { WINDOW_CHARACTERS } = await source('ipc/page-lines.ts');
const { HEAD } = await import('./backend.mjs');

let sent;
let hear;
let link;
let messages;
let told;

beforeEach(() => {
  sent = [];
  messages = [];
  told = [];
  const pipe = { send: (text) => sent.push(text), listen: (listener) => (hear = listener) };
  link = new PageLink(pipe, {
    message: (message) => messages.push(message),
    told: (event, value) => told.push([event, value]),
  });
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
/** Lines of half the window each. */
const LARGE = JSON.stringify('x'.repeat(WINDOW_CHARACTERS / 8));

test('what is said in one turn leaves together and in order, calls among posts', async () => {
  link.post('publish', '{"n":1}');
  void link.call('request', '{"n":2}');
  link.post('publish', '{"n":3}', { queues: true });
  assert.deepEqual(sent, []);
  await turn();
  assert.deepEqual(sent, [
    '0 publish refuse {"n":1}\n1 request refuse {"n":2}\n0 publish queue {"n":3}',
  ]);
});

test('a long turn does not keep its first lines back', () => {
  for (let n = 0; n < 300; n += 1) link.post('publish', `${n}`);
  assert.deepEqual(
    sent.map((text) => text.split('\n').length),
    [128, 128],
  );
});

test('answers find their calls, and errors are errors', async () => {
  const good = link.call('request', '{}');
  const bad = link.call('request', '{}');
  const error = { name: 'DeskbusError', code: -32014, message: 'No.', category: 'unavailable' };
  hear(`2 ${JSON.stringify({ error: { ...error, retryable: true, action: 'Wait.' } })}\n99 {}`);
  hear('1 {"result":{"x":1}}');
  assert.deepEqual(await good, { x: 1 });
  await assert.rejects(bad, (thrown) => {
    assert.ok(thrown instanceof Error);
    assert.equal(JSON.parse(JSON.stringify(thrown)).message, 'No.');
    assert.equal(thrown.action, 'Wait.');
    return true;
  });
});

test('messages and what main tells come in the order in which they were said', () => {
  hear(`state "open"\n${HEAD}{"topic":"a","payload":1}}\ngap {"topic":"a"}`);
  assert.deepEqual(messages, [{ topic: 'a', payload: 1 }]);
  assert.deepEqual(told, [
    ['state', 'open'],
    ['gap', { topic: 'a' }],
  ]);
});

test('a page that says more than main passes on waits, loses nothing, and keeps the order', async () => {
  const numbers = [];
  for (let n = 0; n < 40; n += 1) link.post('publish', `[${n},${LARGE}]`);
  await turn();
  assert.ok(sent.length < 20, `${sent.length} texts are on their way`);
  let ready = false;
  void link.ready().then(() => (ready = true));
  while (sent.length > 0) {
    const text = sent.shift();
    for (const line of text.split('\n')) numbers.push(Number(/\[(\d+)/.exec(line)?.[1] ?? -1));
    hear(`room ${text.length}`);
    await turn();
  }
  assert.equal(ready, true);
  assert.deepEqual(
    numbers.filter((n) => n >= 0),
    Array.from({ length: 40 }, (_, n) => n),
  );
  assert.ok(link.stats.waits > 0);
});

test('whoever goes on without waiting is refused in the end, and what was said before is kept', () => {
  let lines = 0;
  const most = MAX_HELD_CHARACTERS + 2 * WINDOW_CHARACTERS;
  assert.throws(
    () => {
      for (; lines * LARGE.length < most; lines += 1) link.post('publish', LARGE);
    },
    { name: 'DeskbusError', message: 'Too much waits to be sent.', retryable: true },
  );
  assert.ok(lines * LARGE.length > MAX_HELD_CHARACTERS / 2);
});

test('who waits for room hears that there is nobody to write to', async () => {
  for (let n = 0; n < 20; n += 1) link.post('publish', LARGE);
  const ready = link.ready();
  link.lose();
  await assert.rejects(ready, { name: 'DeskbusError', category: 'unavailable' });
});

test('an aborted call is told to main, which answers it', async () => {
  const controller = new AbortController();
  const asked = link.call('request', '{}', { signal: controller.signal });
  controller.abort();
  await turn();
  assert.deepEqual(sent, ['1 request refuse {}\n1 cancel refuse null']);
  hear('1 {"error":{"name":"DeskbusError","code":-32800,"message":"Cancelled."}}');
  await assert.rejects(asked, { code: -32800 });
  await assert.rejects(link.call('request', '{}', { signal: controller.signal }), {
    code: -32800,
  });
});

test('a stranger is told so at every call', async () => {
  const asked = link.call('request', '{}');
  hear('stranger null');
  await assert.rejects(asked, { code: -32010 });
});

test('a page that goes away sends what it has, room or none', async () => {
  for (let n = 0; n < 20; n += 1) link.post('publish', LARGE);
  await turn();
  link.post('publish', '"bye"');
  link.leave();
  assert.equal(sent.join('\n').split('\n').length, 21);
  assert.match(sent.pop(), /"bye"$/);
});
