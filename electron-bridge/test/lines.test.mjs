import assert from 'node:assert/strict';
import { test } from 'node:test';
import { source } from './source.mjs';

const { LineDecoder, StreamBrokenError } = await source('common/lines.ts');
const { MAX_DELIVERED_FRAME_BYTES } = await source('generated/constants.ts');

/** A block is whole lines, each with its end. */
function linesOf(block) {
  assert.ok(block.endsWith('\n'));
  return block.slice(0, -1).split('\n');
}

test('lines come out the same however the stream is cut', () => {
  const lines = ['{"a":1}', '{"text":"häßlich 🙂"}', '', '[]', 'x'.repeat(300)];
  const stream = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  for (let size = 1; size <= stream.length; size += 1) {
    const seen = [];
    const decoder = new LineDecoder((block) => seen.push(...linesOf(block)));
    for (let at = 0; at < stream.length; at += size) {
      const chunk = Buffer.from(stream.subarray(at, at + size));
      decoder.feed(chunk);
      chunk.fill(0);
    }
    assert.deepEqual(
      seen.filter((line) => line !== ''),
      lines.filter((line) => line !== ''),
    );
  }
});

test('a large chunk comes in blocks of a bounded size, a line that is larger in one', () => {
  const lines = ['a'.repeat(30_000), ...Array(3000).fill('é🙂'.repeat(9)), 'b'.repeat(50_000)];
  const blocks = [];
  const decoder = new LineDecoder((block) => blocks.push(block));
  decoder.feed(Buffer.from(lines.map((line) => `${line}\n`).join('')));
  assert.deepEqual(blocks.flatMap(linesOf), lines);
  const sizes = blocks.map((block) => Buffer.byteLength(block));
  assert.ok(sizes.slice(1, -1).every((size) => size <= 16 * 1024));
  assert.ok(blocks.length < 20);
});

test('a chunk may be overwritten while its lines are taken', () => {
  const chunk = Buffer.from('one\ntwo\n'.repeat(5000));
  const seen = [];
  const decoder = new LineDecoder((block) => {
    chunk.fill(0);
    seen.push(...linesOf(block));
  });
  decoder.feed(chunk);
  assert.equal(seen.filter((line) => line === 'one').length, 5000);
});

test('an endless line breaks the stream instead of filling the memory', () => {
  const decoder = new LineDecoder(() => assert.fail('no line was ended'));
  const chunk = Buffer.alloc(MAX_DELIVERED_FRAME_BYTES / 2, 120);
  decoder.feed(chunk);
  decoder.feed(chunk);
  assert.throws(() => decoder.feed(chunk), StreamBrokenError);
});
