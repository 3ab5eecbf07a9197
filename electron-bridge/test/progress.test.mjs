// Node's delivery progress against the vectors that Python's test reads too.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { source } from './source.mjs';

const { DeliveryProgress } = await source('common/bus/progress.ts');
const { vectors } = JSON.parse(
  readFileSync(new URL('../../tests/contract/vectors/delivery_progress.json', import.meta.url)),
);

/** Objects without a prototype, and absent members, as they are sent. */
const plain = (value) => JSON.parse(JSON.stringify(value ?? null));

/** Numbers that many messages by topic, where it has a place for that, or else by seq. */
function flood(progress, message, count) {
  for (let n = 0; n < count; n += 1) {
    const topic = message.topic.replace('{i}', String(n));
    const seq = message.seq + (topic === message.topic ? n : 0);
    const sent = { ...message, topic, seq, timestamp: message.timestamp + n };
    assert.ok(progress.arrived(sent));
  }
}

/** The sizes of what would be long. */
function summary({ partial, since, seen, unacknowledged }) {
  const topics = Object.entries(seen).map(([epoch, seqs]) => [epoch, Object.keys(seqs).length]);
  const short = { partial, since, topics: Object.fromEntries(topics) };
  if (!unacknowledged) return short;
  const [seqs] = Object.values(unacknowledged.seqs).flatMap((of) => Object.values(of));
  const { since: oldest } = unacknowledged;
  return { ...short, unacknowledged: { since: oldest, first: seqs[0], count: seqs.length } };
}

/** All of them; where the absence of one is expected, only those that are asked for. */
function lastSeqs(progress, expected) {
  const known = plain(progress.lastSeqs());
  if (!Object.values(expected).includes(null)) return known;
  return Object.fromEntries(Object.keys(expected).map((topic) => [topic, known[topic] ?? null]));
}

/** The client's step at the end of each block that it read; nothing is asked before that. */
const settled = (progress) => {
  progress.settleLast();
  return progress;
};

const STEPS = {
  open: (progress, { epoch, resumed }) => void progress.open(epoch, resumed),
  lose: (progress) => progress.lose(),
  join: (progress, { pattern, mode }) => {
    progress.unacknowledged.join(pattern, mode === 'acknowledged');
    progress.join(pattern);
  },
  settle: (progress, { pattern, mark }) => progress.settle(pattern, mark),
  begin: (progress, { pattern }) => progress.begin(pattern),
  leave: (progress, { pattern }) => progress.leave(pattern),
  arrived: (progress, { message }) => progress.arrived(message),
  acknowledged: (progress, { message }) => progress.unacknowledged.acknowledged(message),
  flood: (progress, { message, count }) => flood(progress, message, count),
  owed: (progress) => [...progress.owed],
  behind: (progress, { pattern }) => settled(progress).behind(pattern),
  behindSummary: (progress, { pattern }) => summary(settled(progress).behind(pattern)),
  lastSeqs: (progress, { expect }) => lastSeqs(settled(progress), expect),
  clip: (progress, { gap }) => progress.clip(gap),
};

for (const { name, steps } of vectors) {
  test(`delivery progress: ${name}`, () => {
    const progress = new DeliveryProgress();
    for (const [number, step] of steps.entries()) {
      const outcome = STEPS[step.do](progress, step);
      if ('expect' in step) {
        assert.deepEqual(plain(outcome), step.expect, `step ${number}: ${JSON.stringify(step)}`);
      }
    }
  });
}
