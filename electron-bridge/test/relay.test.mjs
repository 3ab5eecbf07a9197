import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { source } from './source.mjs';

const { Relay } = await source('relay/relay.ts');
const { pageLine, ROOM_CHARACTERS } = await source('ipc/page-lines.ts');

const PAGE = 'page-1';

let asked;
let acknowledged;
let refuses;
let sent;
let relay;
let listeners;
let client;
let numbers;

beforeEach(() => {
  listeners = {};
  asked = [];
  acknowledged = [];
  sent = [];
  refuses = false;
  numbers = 0;
  client = {
    state: 'open',
    full: false,
    published: [],
    called: [],
    publishJson: ({ text }, choice) => client.published.push([text, choice, client.context]),
    notifyJson: (...given) => client.notified.push(given),
    notified: [],
    tracing: undefined,
    context: undefined,
    onBehalf: (traceparent, work) => {
      client.context = traceparent;
      const result = work();
      client.context = undefined;
      return result;
    },
    callJson: (method, { text }, options) => {
      client.called.push([method, text, options]);
      return client.answer(method, options);
    },
    answer: () => Promise.resolve('{"id":"m"}'),
    pause: () => asked.push('pause'),
    resume: () => asked.push('resume'),
    on: (name, listener) => (listeners[name] = listener),
    watchSubscribers: () => Promise.resolve([{ app: 'x', client: 'c', pattern: 'a' }]),
    subscribe: (pattern, _listener, { mode, sources }) => {
      asked.push(`${mode} ${pattern}${sources ? ` ${JSON.stringify(sources)}` : ''}`);
      if (refuses) return Promise.reject(new Error('denied'));
      return Promise.resolve(() => Promise.resolve(asked.push(`end ${mode} ${pattern}`)));
    },
    acknowledge: (message) => acknowledged.push(message),
  };
  relay = new Relay((text) => sent.push(...text.split('\n')), client);
  relay.begin(PAGE);
  relay.ready(PAGE);
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
/** The answer of main to a page's call. */
async function call(operation, params, page = PAGE) {
  const number = ++numbers;
  relay.lines(page, pageLine(number, operation, JSON.stringify(params)));
  await turn();
  const line = sent.find((one) => one.startsWith(`${number} `));
  return line && JSON.parse(line.slice(line.indexOf(' ')));
}
const tells = (event) =>
  sent
    .filter((line) => line.startsWith(`${event} `))
    .map((line) => JSON.parse(line.slice(event.length)));
const subscribe = (pattern, mode) => call('subscribe', { pattern, mode });
const refusals = async () => {
  await turn();
  return tells('refused').map(({ method, topic, code }) => [method, topic, code]);
};

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
  await call('unsubscribe', { pattern: 'a' });
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
  await turn();
  assert.deepEqual(tells('refused'), [refusal]);
  await subscribe('a', 'live');
  assert.deepEqual(asked, ['live a', 'live a']);
});

test('a page acknowledges only what is a message', () => {
  const message = { topic: 'a', epoch: 'e', seq: 1 };
  const said = [message, {}, null, 7, { ...message, seq: '1' }, { ...message, topic: 1 }];
  relay.lines(PAGE, pageLine(0, 'acknowledge', JSON.stringify(said)));
  assert.deepEqual(acknowledged, [message]);
});

test('messages of one turn cross together, as they came', async () => {
  await turn();
  sent.length = 0;
  relay.message('one');
  relay.message('two');
  assert.deepEqual(sent, []);
  await Promise.resolve();
  assert.deepEqual(sent, ['one', 'two']);
});

test('sources are passed on if they have the form of some, and others replace them', async () => {
  const from = (sources) => call('subscribe', { pattern: 'a', sources });
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
  await call('watch', {});
  listeners.subscriberRemoved(who);
  await turn();
  relay.begin('page-2');
  listeners.subscriberAdded(who);
  await turn();
  assert.deepEqual(tells('subscribers'), [{ all: [who] }, { removed: who }]);
});

test('what a page says is done in its order, as it wrote it', async () => {
  const publish = '{"topic":"a","payload":{"n":1},"ttl":5}';
  const request = '{"topic":"b","timeout":9,"payload":[]}';
  relay.lines(
    PAGE,
    [
      pageLine(0, 'publish', publish, { queues: true }),
      pageLine(7, 'request', request),
      pageLine(0, 'publish', publish),
    ].join('\n'),
  );
  assert.deepEqual(client.published, [
    [publish, { whileClosed: 'queue' }, ''],
    [publish, {}, ''],
  ]);
  const [[method, text, { signal }]] = client.called;
  assert.deepEqual([method, text], ['bus.request', request]);
  await turn();
  assert.ok(sent.includes('7 {"result":{"id":"m"}}'));
  relay.lines(PAGE, pageLine(7, 'cancel', 'null'));
  assert.equal(signal.aborted, false, 'a call that was answered can be cancelled no more');
});

test('a call that the page gives up is aborted', async () => {
  let aborted;
  client.answer = (_method, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject((aborted = new Error('aborted'))));
    });
  relay.lines(PAGE, pageLine(3, 'request', '{}'));
  relay.lines(PAGE, pageLine(3, 'cancel', 'null'));
  await turn();
  assert.ok(aborted);
  assert.match(
    sent.find((line) => line.startsWith('3 ')),
    /"error"/,
  );
});

test('an answer to an earlier page reaches no later one', async () => {
  let answer;
  client.answer = () => new Promise((resolve) => (answer = resolve));
  relay.lines(PAGE, pageLine(1, 'request', '{}'));
  relay.begin('page-2');
  answer('{}');
  await turn();
  assert.deepEqual(
    sent.filter((line) => /^\d/.test(line)),
    [],
  );
});

const FAKES = [
  'publish',
  'publish {"topic":"a"}',
  '0 publish {"topic":"a"}',
  '-1 publish refuse {"topic":"a"}',
  '1e400 publish refuse {"topic":"a"}',
  '0 session.leave refuse {}',
  '0 subscribe refuse {"pattern":"a"}',
  '0 cancel refuse null',
  '0 acknowledge refuse {"topic":"a"}',
  '0 acknowledge refuse [',
  '0 publish refuse {"topic":"a"},"id":1',
  '0 publish refuse {"topic":"a"}}{"jsonrpc":"2.0","method":"session.leave"}',
  '0 publish refuse ',
  '0 publish refuse null',
  '',
];
for (const line of FAKES) {
  test(`a line of another form is refused, and said to be, and harms no other: ${line}`, async () => {
    relay.lines(PAGE, `${line}\n${pageLine(0, 'publish', '{"topic":"b"}')}`);
    assert.deepEqual(client.published, [['{"topic":"b"}', {}, '']]);
    assert.deepEqual(client.called, []);
    assert.equal((await refusals()).length, 1);
  });
}

test('more at once than a page sends is refused as a whole, and told once', async () => {
  const line = pageLine(0, 'publish', '{"topic":"a"}');
  relay.lines(PAGE, Array.from({ length: 129 }, () => line).join('\n'));
  relay.lines(PAGE, '\n'.repeat(1e6));
  relay.lines(PAGE, pageLine(0, 'publish', JSON.stringify('x'.repeat(5 * 1024 * 1024))));
  assert.deepEqual(client.published, []);
  assert.equal((await refusals()).length, 3);
});

test('a page that takes nothing is not told of refusals without end', async () => {
  relay.message('x'.repeat(5 * 1024 * 1024));
  await turn();
  for (let n = 0; n < 1000; n += 1) relay.lines(PAGE, 'nonsense');
  assert.deepEqual(await refusals(), []);
});

test('no line names a method that pages have not', async () => {
  for (const word of ['session.leave', 'bus.publish', 'toString', '__proto__', 'constructor']) {
    assert.equal((await call(word, {})).error.code, -32601, word);
  }
  assert.deepEqual(client.called, []);
});

test('a call whose text is no object is answered with an error', async () => {
  for (const text of ['', '{', '[]', '{}}', '{},"id":2', '"x"']) {
    relay.lines(PAGE, pageLine(++numbers, 'request', text));
    await turn();
    const line = sent.find((one) => one.startsWith(`${numbers} `));
    assert.match(line, /"code":-32602/, text);
  }
  assert.deepEqual(client.called, []);
});

test('a publish that the connection does not take is told with its topic', async () => {
  client.publishJson = () => {
    throw new Error('lost');
  };
  relay.lines(PAGE, pageLine(0, 'publish', '{"topic":"a"}'));
  assert.deepEqual(await refusals(), [['bus.publish', 'a', -32603]]);
});

test('an answer needs no word back, and is told only if it is refused by a fault', async () => {
  const answer = '{"replyTo":"r","payload":1}';
  const lines = pageLine(0, 'respond', answer);
  relay.lines(PAGE, lines);
  await turn();
  assert.deepEqual(client.called, [['bus.respond', answer, undefined]]);
  for (const [code, category] of [
    [-32019, 'not_found'],
    [-32602, 'invalid'],
  ]) {
    client.answer = () => Promise.reject(Object.assign(new Error('no'), { code, category }));
    relay.lines(PAGE, lines);
    await turn();
  }
  assert.deepEqual(await refusals(), [['bus.respond', undefined, -32603]]);
  assert.equal(
    sent.some((line) => /^\d/.test(line)),
    false,
  );
});

test('a page is told of room when the connection has taken what it said', async () => {
  const line = pageLine(0, 'publish', JSON.stringify({ topic: 'a', payload: 'x'.repeat(2000) }));
  const text = Array.from({ length: 64 }, () => line).join('\n');
  let drain;
  client.full = true;
  client.drained = () => new Promise((resolve) => (drain = resolve));
  let said = 0;
  while (said < ROOM_CHARACTERS) {
    assert.deepEqual(tells('room'), []);
    relay.lines(PAGE, text);
    said += text.length;
    await turn();
  }
  assert.deepEqual(tells('room'), [], 'there is no room while the connection is full');
  drain();
  await turn();
  assert.deepEqual(tells('room'), [said]);
});

test('a page that does not take its messages pauses its connection until it does', async () => {
  const frame = 'x'.repeat(1024 * 1024);
  for (let n = 0; n < 5; n += 1) relay.message(frame);
  await turn();
  assert.deepEqual(asked, ['pause']);
  relay.taken('page-0', 10 * frame.length);
  relay.taken(PAGE, 3 * frame.length);
  assert.deepEqual(asked, ['pause']);
  relay.taken(PAGE, 2 * frame.length);
  assert.deepEqual(asked, ['pause', 'resume']);
});

test('a page that speaks before it can hear gets its answer once it can', async () => {
  client.answer = () => Promise.resolve('{"inbox":"fdc3.inbox.one"}');
  relay.lines('page-2', pageLine(1, 'fdc3.connect', '{}'));
  await turn();
  assert.equal(
    sent.some((line) => line.startsWith('1 ')),
    false,
  );
  relay.ready('page-2');
  assert.equal(
    sent.some((line) => line.startsWith('1 {"result":')),
    true,
  );
});

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

test('what a page traces goes on in its connection, and nothing else does', async () => {
  const traced = { traceparent: TRACEPARENT };
  const heard = [];
  client.answer = () => {
    heard.push(client.context);
    return Promise.resolve('{}');
  };
  relay.lines(
    PAGE,
    [
      pageLine(0, 'publish', '{"topic":"a"}', traced),
      pageLine(0, 'publish', '{"topic":"b"}'),
      pageLine(1, 'request', '{"topic":"c"}', { ...traced, queues: true }),
      pageLine(0, 'respond', '{"replyTo":"d"}', traced),
      pageLine(0, 'respond', '{"replyTo":"e"}'),
    ].join('\n'),
  );
  await turn();
  assert.deepEqual(client.published, [
    ['{"topic":"a"}', {}, TRACEPARENT],
    ['{"topic":"b"}', {}, ''],
  ]);
  assert.deepEqual(
    client.called.map(([, text]) => text),
    ['{"topic":"c"}', '{"replyTo":"d"}', '{"replyTo":"e"}'],
  );
  assert.deepEqual(heard, [TRACEPARENT, TRACEPARENT, '']);
});

test('the steps of a page are told to the backend while there is a connection', () => {
  const steps = '{"spans":[]}';
  relay.lines(PAGE, pageLine(0, 'trace', steps));
  client.state = 'resuming';
  relay.lines(PAGE, pageLine(0, 'trace', steps));
  assert.deepEqual(client.notified, [['traces.record', steps]]);
});

test('a page hears how much to trace with every connection that stands', async () => {
  await turn();
  client.tracing = { ratio: 1, topics: [], maxPerS: 9 };
  listeners.state('resuming');
  listeners.state('open');
  await turn();
  assert.deepEqual(tells('tracing'), [null, client.tracing]);
});
