import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { source } from './source.mjs';

const { PageBus } = await source('page/bus.ts');
const { readPageLine } = await source('ipc/page-lines.ts');
const { HEAD } = await import('./backend.mjs');

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const REMOTE = `00-${TRACE}-00f067aa0ba902b7-01`;

let sent;
let hear;
let bus;

beforeEach(() => {
  sent = [];
  const pipe = {
    send: (text) => sent.push(...text.split('\n').map(readPageLine)),
    listen: (listener) => (hear = listener),
  };
  bus = new PageBus('test.page', 'main', pipe);
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
const traces = (topics, ratio = 0) =>
  hear(`tracing ${JSON.stringify({ ratio, topics, maxPerS: 100 })}`);
/** The steps that the page has told, by name. */
function told() {
  bus.leave();
  const lines = sent.filter(({ word }) => word === 'trace');
  const spans = lines.flatMap(({ json }) => JSON.parse(json).spans);
  return Object.fromEntries(spans.map((span) => [span.name, span]));
}
const idsOf = (traceparent) => traceparent.split('-').slice(1, 3);
function message(more = {}) {
  const sender = { app: 'x', client: 'y' };
  const stamps = { epoch: 'e', seq: 1, id: 'e-1', correlationId: 'c', timestamp: 1 };
  hear(`${HEAD}${JSON.stringify({ topic: 'orders.fill', sender, ...stamps, ...more })}}`);
}

test('a page that was told nothing of traces adds nothing to what it says', async () => {
  bus.publish('orders.new', 1);
  void bus.request('orders.fill', 1);
  hear('tracing null');
  bus.publish('orders.new', 1);
  await turn();
  assert.deepEqual(
    sent.map(({ traceparent }) => traceparent),
    ['', '', ''],
  );
  assert.deepEqual(told(), {});
});

test('the call of a page is the first step of its trace, and ends with its answer', async () => {
  traces(['orders.#']);
  const answer = bus.request('orders.fill', { n: 1 });
  const refused = bus.request('orders.late', {});
  await turn();
  const [first] = sent;
  const [traceId, spanId] = idsOf(first.traceparent);
  assert.equal(first.json, '{"topic":"orders.fill","payload":{"n":1}}');
  hear('1 {"result":{"payload":7}}\n2 {"error":{"code":-32014,"message":"No."}}');
  await answer;
  await assert.rejects(refused);
  const { 'bus.request orders.fill': asked, 'bus.request orders.late': late } = told();
  assert.deepEqual([asked.traceId, asked.spanId, asked.parentId], [traceId, spanId, undefined]);
  assert.equal(asked.topic, 'orders.fill');
  assert.ok(asked.end >= asked.start && asked.start > 1.7e15);
  assert.equal(asked.error, undefined);
  assert.notEqual(late.error, undefined);
});

test('a publish is a step of its own, and what is of another topic is not', async () => {
  traces(['orders.#']);
  bus.publish('orders.new', 1);
  bus.publish('prices.EURUSD', 1);
  await turn();
  const [orders, prices] = sent;
  assert.equal(prices.traceparent, '');
  const { 'bus.publish orders.new': step } = told();
  assert.deepEqual([step.traceId, step.spanId], idsOf(orders.traceparent));
});

test('what a handler says belongs to the trace of the message, and so does its answer', async () => {
  traces([]);
  void bus.respond('orders.fill', async () => {
    bus.publish('orders.seen', 1);
    await turn();
    return 'filled';
  });
  message({ payload: 1, replyTo: 'r', _meta: { traceparent: REMOTE } });
  await turn();
  await turn();
  bus.publish('orders.alone', 1);
  await turn();
  const answer = sent.find(({ word }) => word === 'respond');
  const publishes = sent.filter(({ word }) => word === 'publish');
  const steps = told();
  assert.equal(steps['handle orders.fill'].parentId, idsOf(REMOTE)[1]);
  for (const name of ['bus.respond', 'bus.publish orders.seen']) {
    assert.equal(steps[name].traceId, TRACE);
    assert.equal(steps[name].parentId, steps['handle orders.fill'].spanId);
  }
  assert.deepEqual(idsOf(answer.traceparent), [TRACE, steps['bus.respond'].spanId]);
  assert.deepEqual(
    publishes.map(({ traceparent }) => traceparent !== ''),
    [true, false],
  );
});

test('a page that names its context itself is not traced on top of it', async () => {
  traces(['orders.#'], 1);
  bus.publish('orders.new', 1, { _meta: { traceparent: REMOTE } });
  void bus.request('orders.fill', 1, { _meta: { traceparent: REMOTE } });
  await turn();
  assert.deepEqual(
    sent.map(({ traceparent }) => traceparent),
    ['', ''],
  );
  for (const { json } of sent) assert.equal(JSON.parse(json)._meta.traceparent, REMOTE);
});
