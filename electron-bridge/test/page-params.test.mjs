import assert from 'node:assert/strict';
import { test } from 'node:test';
import { source } from './source.mjs';

const { readPageParams } = await source('relay/page-params.ts');

const HOSTILE = {
  'an envelope that ends early': '{"topic":"a"},"id":1',
  'an envelope that ends, and another one': '{}}\u0000{"jsonrpc":"2.0"}',
  'a second frame': '{"topic":"a"}\n{"jsonrpc":"2.0","method":"session.leave","params":{}}',
  'a newline between tokens': '{"topic":\n"a"}',
  'two values': '{} {}',
  'too many brackets': '{"topic":"a"}}',
  'too few brackets': '{"topic":"a"',
  'an array': '[{"topic":"a"}]',
  'a string': '"topic"',
  null: 'null',
  nothing: '',
  'a control character in a string': '{"topic":"a\u0001"}',
  'a newline in a string': '{"topic":"a\nb"}',
  'a comment': '{"topic":"a"/**/}',
  'a trailing comma': '{"topic":"a",}',
  NaN: '{"payload":NaN}',
  'half of a pair': String.raw`{"payload":"\ud83d"}`,
  'an escaped pair, which JSON.stringify does not write': String.raw`{"payload":"\ud83d\ude00"}`,
  'half of a pair in a name': String.raw`{"\ud83d":1}`,
  'too deep an object': `{"payload":${'['.repeat(200)}${']'.repeat(200)}}`,
  'so deep that a reader could run out of stack': `{"payload":${'['.repeat(2e5)}${']'.repeat(2e5)}}`,
  'a byte order mark': '\ufeff{}',
};

for (const [name, text] of Object.entries(HOSTILE)) {
  test(`text of a page is refused: ${name}`, () => {
    assert.throws(() => readPageParams(text), { name: 'DeskbusError', code: -32602 });
  });
}

const HARMLESS = [
  '{"topic":"a","payload":{"n":[1,2,{"x":null}]},"ttl":5}',
  '{"__proto__":{"topic":"b"},"topic":"a"}',
  '{"jsonrpc":"2.0","id":7,"method":"session.leave","params":{}}',
  '{"payload":"}},\\"id\\":1"}',
  ' { "topic" : "a" }\t\r',
  String.raw`{"payload":"\u0001 \\ud83d"}`,
  '{"payload":"\u2028 🙂"}',
];

for (const text of HARMLESS) {
  test(`text of a page stays what it is within a frame: ${text}`, () => {
    const params = readPageParams(text);
    assert.equal(params.text, text);
    const frame = JSON.parse(`{"jsonrpc":"2.0","method":"bus.publish","params":${params.text}}`);
    assert.deepEqual(Object.keys(frame), ['jsonrpc', 'method', 'params']);
    assert.equal(frame.method, 'bus.publish');
    assert.equal({}.topic, undefined);
    assert.equal(Object.getPrototypeOf(params.value), Object.prototype);
  });
}
