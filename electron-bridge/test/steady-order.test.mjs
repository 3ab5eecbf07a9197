import assert from 'node:assert/strict';
import { test } from 'node:test';
import { source } from './source.mjs';

const { SteadyOrder } = await source('control/charts/steady-order.ts');

const order = () =>
  new SteadyOrder(
    ({ name }) => name,
    ({ rate }) => rate,
  );
const items = (rates) => Object.entries(rates).map(([name, rate]) => ({ name, rate }));
const names = (ordered) => ordered.map(({ name }) => name).join('');

test('items of nearly the same rate keep their places', () => {
  const steady = order();
  assert.equal(names(steady.of(items({ a: 100, b: 99, c: 10 }))), 'abc');
  assert.equal(names(steady.of(items({ b: 105, a: 98, c: 10 }))), 'abc');
});

test('an item that clearly exceeds others passes all of them', () => {
  const steady = order();
  steady.of(items({ a: 100, b: 99, c: 98 }));
  assert.equal(names(steady.of(items({ c: 150, a: 100, b: 99 }))), 'cab');
});

test('a new item takes its place by its rate, and one that has gone leaves no gap', () => {
  const steady = order();
  steady.of(items({ a: 100, b: 50 }));
  assert.equal(names(steady.of(items({ c: 70, a: 100, b: 50 }))), 'acb');
  assert.equal(names(steady.of(items({ c: 70, b: 50 }))), 'cb');
});
