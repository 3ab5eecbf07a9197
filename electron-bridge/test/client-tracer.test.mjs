import assert from 'node:assert/strict';
import { test } from 'node:test';
import { source } from './source.mjs';

const { ClientTracer, withTrace } = await source('common/client-tracer.ts');

const REMOTE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const ALL = { ratio: 1, topics: [], maxPerS: 2 };

function tracer(terms = ALL) {
  const told = [];
  let now = 1000;
  const hooks = { now: () => now, tell: (spans) => told.push(...spans) };
  const one = new ClientTracer(terms, hooks);
  return { one, told, pass: (ms) => (now += ms) };
}

test('no more traces begin in a second than the terms say', () => {
  const { one, pass } = tracer();
  const begin = () => one.begin('bus.publish a', 'producer', 'a') !== undefined;
  assert.deepEqual([begin(), begin(), begin()], [true, true, false]);
  pass(1000);
  assert.equal(begin(), true);
});

test('what is said for another goes on with its trace, or is no step', () => {
  const { one, told } = tracer();
  const begin = () => one.begin('bridge bus.publish a', 'producer', 'a');
  one.onBehalf(REMOTE, begin).end();
  for (const none of ['', 'nonsense', REMOTE.replace(/01$/, '00')]) {
    assert.equal(one.onBehalf(none, begin), undefined);
  }
  one.flush();
  assert.deepEqual(
    told.map(({ traceId, parentId }) => `00-${traceId}-${parentId}-01`),
    [REMOTE],
  );
});

test('the context goes into parameters however they are written', () => {
  const span = { traceparent: REMOTE };
  for (const text of ['{}', ' { } \t', '{"a":1}', '{"a":{"b":"}"}}\r ', '{\t"a":1}']) {
    const { _meta, ...rest } = JSON.parse(withTrace(text, span));
    assert.deepEqual(rest, JSON.parse(text));
    assert.deepEqual(_meta, { traceparent: REMOTE });
    assert.equal(withTrace(text, undefined), text);
  }
});
