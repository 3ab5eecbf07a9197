import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { source } from './source.mjs';

const { Heartbeat } = await source('node/link/heartbeat.ts');

let now;
let words;
let heartbeat;

beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  now = 0;
  words = [];
  const hooks = { ask: () => words.push(`ask ${now}`), dead: () => words.push(`dead ${now}`) };
  heartbeat = new Heartbeat(hooks, { intervalMs: 10, deadlineMs: 30 }, () => now);
  heartbeat.start();
});

afterEach(() => mock.timers.reset());

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function pass(ms) {
  for (let step = 0; step < ms; step += 1) {
    now += 1;
    mock.timers.tick(1);
    await turn();
  }
}

test('a silent side is asked at the interval and dead at the deadline', async () => {
  await pass(100);
  assert.deepEqual(words, ['ask 10', 'dead 30']);
});

test('a sign of life moves both', async () => {
  await pass(9);
  heartbeat.heard();
  await pass(10);
  assert.deepEqual(words, ['ask 19']);
  heartbeat.heard();
  await pass(25);
  assert.deepEqual(words, ['ask 19', 'ask 39']);
  await pass(14);
  assert.deepEqual(words, ['ask 19', 'ask 39', 'dead 49']);
});

test('what this side slept through is no silence of the other', async () => {
  now += 3_600_000;
  mock.timers.tick(10);
  await turn();
  assert.deepEqual(words, ['ask 3600000']);
  heartbeat.heard();
  await pass(20);
  assert.equal(words.length, 2);
  assert.ok(words[1].startsWith('ask'));
});

test('while nothing is read the other side hears of this one, and is not dead', async () => {
  heartbeat.pause();
  await pass(45);
  assert.deepEqual(words, ['ask 10', 'ask 20', 'ask 30', 'ask 40']);
  heartbeat.resume();
  await pass(29);
  assert.deepEqual(words.slice(4), ['ask 55']);
});

test('it is quiet when stopped', async () => {
  heartbeat.stop();
  await pass(100);
  assert.deepEqual(words, []);
});
