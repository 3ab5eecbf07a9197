import assert from 'node:assert/strict';
import { test } from 'node:test';
import { source } from './source.mjs';

const { LineDecoder, MAX_LINE_BYTES, StreamBrokenError } = await source('node/lines.ts');

test('lines come out the same however the stream is cut', () => {
  const lines = ['{"a":1}', '{"text":"häßlich 🙂"}', '', '[]', 'x'.repeat(300)];
  const stream = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  for (let size = 1; size <= stream.length; size += 1) {
    const seen = [];
    const decoder = new LineDecoder((line) => seen.push(line));
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

test('an endless line breaks the stream instead of filling the memory', () => {
  const decoder = new LineDecoder(() => assert.fail('no line was ended'));
  const chunk = Buffer.alloc(MAX_LINE_BYTES / 2, 120);
  decoder.feed(chunk);
  decoder.feed(chunk);
  assert.throws(() => decoder.feed(chunk), StreamBrokenError);
});
