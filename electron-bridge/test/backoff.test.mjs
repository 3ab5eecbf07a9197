import assert from 'node:assert/strict';
import { test } from 'node:test';
import { source } from './source.mjs';

const { Backoff } = await source('common/backoff.ts');

test('waiting times double up to the limit, and start over', () => {
  const longest = new Backoff(250, 5000, () => 1);
  const times = [1, 2, 3, 4, 5, 6, 7].map(() => longest.next());
  assert.deepEqual(times, [250, 500, 1000, 2000, 4000, 5000, 5000]);
  longest.reset();
  assert.equal(longest.next(), 250);
  const shortest = new Backoff(250, 5000, () => 0);
  assert.equal(shortest.next(), 125);
});
