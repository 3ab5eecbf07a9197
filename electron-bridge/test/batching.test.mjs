import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { source } from './source.mjs';

const { Batching, MAX_DELAY_MS } = await source('common/bus/batching.ts');

let now;
let turns;
let batching;
let sent;
let added;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  now = 1000;
  turns = [];
  sent = [];
  added = 0;
  const surroundings = { now: () => now, atEndOfTurn: (then) => turns.push(then) };
  const send = () => {
    sent.push(added);
    added = 0;
  };
  batching = new Batching(send, surroundings, { count: 4, characters: 100, delayMs: 0 });
});
afterEach(() => mock.timers.reset());

const add = (characters = 1) => {
  added += 1;
  batching.add(characters);
};
const endTurn = () => turns.splice(0).forEach((then) => then());
const pass = (ms) => {
  now += ms;
  mock.timers.tick(ms);
};

test('what is said in one turn leaves at its end, and no turn later', () => {
  add();
  add();
  assert.deepEqual(sent, []);
  endTurn();
  add();
  endTurn();
  assert.deepEqual(sent, [2, 1]);
  assert.deepEqual(batching.stats, { batches: 2, frames: 3, characters: 3, full: 0, delayed: 0 });
});

test('what is full leaves at once', () => {
  for (let n = 0; n < 9; n += 1) add();
  assert.deepEqual(sent, [4, 4]);
  add(99);
  assert.deepEqual(sent, [4, 4, 2]);
  endTurn();
  assert.deepEqual(sent, [4, 4, 2]);
  assert.equal(batching.stats.full, 3);
});

test('with a delay neither a lone message nor the first of a burst waits', () => {
  batching.set({ delayMs: 20 });
  add();
  endTurn();
  pass(1000);
  add();
  endTurn();
  assert.deepEqual(sent, [1, 1]);
  assert.equal(batching.stats.delayed, 0);
});

test('what follows within the delay is gathered for what is left of it, unless it is full', () => {
  batching.set({ delayMs: 20, count: 3 });
  add();
  endTurn();
  pass(5);
  add();
  endTurn();
  pass(14);
  assert.deepEqual(sent, [1]);
  add();
  pass(1);
  assert.deepEqual(sent, [1, 2]);
  add();
  add();
  add();
  assert.deepEqual(sent, [1, 2, 3]);
  pass(1000);
  assert.deepEqual(sent, [1, 2, 3]);
  assert.equal(batching.stats.delayed, 2);
});

test('limits stay within what they began with', () => {
  batching.set({ count: 1e9, characters: -1, delayMs: 1e9 });
  for (let n = 0; n < 4; n += 1) add();
  assert.deepEqual(sent, [4]);
  add();
  pass(MAX_DELAY_MS);
  assert.deepEqual(sent, [4, 1]);
  batching.set({ count: NaN, delayMs: NaN });
  add();
  endTurn();
  assert.deepEqual(sent, [4, 1, 1]);
});

test('everything leaves when it is told to, once', () => {
  batching.set({ delayMs: 20 });
  add();
  endTurn();
  add();
  batching.flush();
  pass(100);
  batching.flush();
  assert.deepEqual(sent, [1, 1]);
});
