import assert from 'node:assert/strict';
import { test } from 'node:test';
import { source } from './source.mjs';

const { matches } = await source('common/bus/topics.ts');

/** The definition, without any cleverness. */
function fits([level, ...pattern], topic) {
  if (level === undefined) return topic.length === 0;
  if (level === '#') {
    return fits(pattern, topic) || (topic.length > 0 && fits([level, ...pattern], topic.slice(1)));
  }
  return topic.length > 0 && (level === '*' || level === topic[0]) && fits(pattern, topic.slice(1));
}

function* words(letters, longest) {
  for (const letter of letters) {
    yield [letter];
    if (longest > 1) for (const rest of words(letters, longest - 1)) yield [letter, ...rest];
  }
}

test('patterns match as they are defined', () => {
  const topics = [...words(['a', 'b'], 4)];
  for (const pattern of words(['a', 'b', '*', '#'], 4)) {
    for (const topic of topics) {
      const [have, name] = [pattern.join('.'), topic.join('.')];
      assert.equal(matches(have, name), fits(pattern, topic), `${have} and ${name}`);
    }
  }
});
