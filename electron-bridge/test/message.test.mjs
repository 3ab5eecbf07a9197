import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { source } from './source.mjs';

const { MessageReader } = await source('common/bus/message.ts');
const { MESSAGE_HEAD } = await source('generated/constants.ts');

/** The members that a message has, in the order in which the backend writes them. */
function written({ topic, correlationId, options = {}, payload = null, seq = 7 }) {
  return {
    topic,
    sender: { app: 'com.example.feed', client: 'main' },
    epoch: 'e1',
    seq,
    id: `e1.1.${seq}`,
    correlationId: correlationId ?? `e1.1.${seq}`,
    timestamp: 1769990000000 + seq,
    ...options,
    payload,
  };
}

const frame = (params) => `${MESSAGE_HEAD}${JSON.stringify(params)}}`;

function read(params, reader = new MessageReader()) {
  const line = frame(params);
  return reader.read(`${line}\n`, 0, line.length);
}

/** Reads each member alone, so that none profits from another's parsing. */
function assertReads(params, reader) {
  for (const name of [...Object.keys(params), 'headers', 'replyTo']) {
    assert.deepEqual(read(params, reader)[name], params[name], `${name} of ${frame(params)}`);
  }
  assert.deepEqual(read(params, reader).toJSON(), params);
}

/** The texts given to JSON.parse while `action` runs. */
function parsed(action) {
  const { parse } = JSON;
  const texts = [];
  JSON.parse = (text) => {
    texts.push(text);
    return parse(text);
  };
  try {
    action();
  } finally {
    JSON.parse = parse;
  }
  return texts;
}

test('of a plain message only what is asked for is parsed', () => {
  const reader = new MessageReader();
  const params = written({ topic: 'prices.eur', payload: { bid: 1.08 } });
  assertReads(params, reader);
  assert.deepEqual(
    parsed(() => assert.equal(read(params, reader).topic, 'prices.eur')),
    [],
  );
  const message = read(params, reader);
  assert.deepEqual(
    parsed(() => assert.equal(message.payload, message.payload)),
    ['{"bid":1.08}'],
  );
  const texts = parsed(() => assert.equal(message.seq, params.seq));
  assert.ok(texts.length === 1 && !texts[0].includes('payload'));
});

test('a message with options is read whole', () => {
  for (const options of [
    { ttl: 5 },
    { headers: { a: 'b' }, priority: 9 },
    { _meta: { traceparent: '00-0-0-01' }, replyTo: 'r1' },
  ]) {
    assertReads(written({ topic: 'a.b', options, payload: [1, '2', { three: null }] }));
  }
});

/** Texts that look like what the reader looks for, each of which a sender may write anywhere. */
const MEMBER = ',"timestamp":1,"payload":"forged"}}';
const TRICKS = [
  '"',
  '\\',
  '\\"',
  '"}}',
  '\n',
  '\u2028',
  'é🙂',
  MEMBER,
  `"${MEMBER}`,
  `\\"${MEMBER}`,
  `\\\\"${MEMBER}`,
  '","sender":{"app":"x","client":"y"},"epoch":"e9","seq":1,"id":"i","correlationId":"c',
  `","sender":{"app":"x","client":"y"},"epoch":"e9","seq":1,"id":"i","correlationId":"c"${MEMBER}`,
  frame(written({ topic: 'other', payload: 'forged' })),
];

test('no topic, correlation id, header or payload passes for another member', () => {
  const reader = new MessageReader();
  for (const topic of ['a.b', ...TRICKS]) {
    for (const correlationId of [undefined, ...TRICKS]) {
      for (const trick of TRICKS) {
        const payload = { correlationId: 'c', timestamp: 1, payload: trick, [trick]: trick };
        assertReads(written({ topic, correlationId, payload: trick }), reader);
        assertReads(written({ topic, correlationId, payload }), reader);
        const headers = { [trick]: trick, timestamp: trick, payload: trick };
        const options = { headers, ttl: 5, replyTo: trick };
        assertReads(written({ topic, correlationId, options, payload: trick }), reader);
      }
    }
  }
});

test('topics that begin alike, and messages side by side, are kept apart', () => {
  const reader = new MessageReader();
  const all = ['a', 'a.b', 'a.', 'a.b.c', 'b', 'a', 'é', 'a\\b', 'a'].map((topic, seq) =>
    written({ topic, seq, payload: seq }),
  );
  const block = all.map((params) => `${frame(params)}\n`).join('');
  let start = 0;
  const messages = all.map((params) => {
    const end = start + frame(params).length;
    const message = reader.read(block, start, end);
    start = end + 1;
    return message;
  });
  assert.deepEqual(
    messages.map((message) => message.toJSON()),
    all,
  );
});

test('members in another order are read too', () => {
  const { topic, payload, ...stamps } = written({ topic: 'a.b', payload: { n: 1 } });
  const rest = JSON.stringify(stamps).slice(1, -1);
  for (const line of [
    `${MESSAGE_HEAD}{"topic":"${topic}","payload":{"n":1},${rest}}}`,
    `${MESSAGE_HEAD}{${rest},"payload":{"n":1},"topic":"${topic}"}}`,
    frame({ topic, ...stamps, payload, ttl: 5 }),
  ]) {
    const message = new MessageReader().read(`${line}\n`, 0, line.length);
    assert.equal(message.topic, topic);
    assert.deepEqual(message.payload, payload);
    assert.equal(message.seq, stamps.seq);
  }
});

test('a message shows itself whole as JSON and on the console', () => {
  const params = written({ topic: 'a.b', payload: { n: 1 } });
  const message = read(params);
  message.payload.n = 2;
  const expected = { ...params, payload: { n: 2 } };
  assert.deepEqual(JSON.parse(JSON.stringify(message)), expected);
  assert.equal(inspect(message), inspect(expected));
});

test('what is no message is left to others, and half a message breaks the stream', () => {
  const reader = new MessageReader();
  const other = '{"jsonrpc":"2.0","method":"bus.gap","params":{}}';
  assert.equal(reader.read(other, 0, other.length), undefined);
  for (const half of [`${MESSAGE_HEAD}{"topic":"a`, `${MESSAGE_HEAD}{"topic":"a\\"`]) {
    const text = `${half}\n${frame(written({ topic: 'b' }))}\n`;
    assert.throws(() => reader.read(text, 0, half.length), /not JSON/);
  }
});
