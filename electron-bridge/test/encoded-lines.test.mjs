import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { source } from './source.mjs';

const { EncodedLineDecoder } = await source('common/encoded-lines.ts');
const { LineDecoder } = await source('common/lines.ts');
const { Codec } = await source('node/link/codec.ts');
const { connect } = await source('node/connect.ts');

const ENCODINGS = ['br', 'gzip'];
const isBroken = (error) => error.constructor.name === 'StreamBrokenError';
const LONG = JSON.stringify({
  rows: Array.from({ length: 300 }, (_, id) => ({ id, s: 'EURUSD' })),
});

function decoder() {
  const blocks = [];
  const codec = new Codec(ENCODINGS);
  const lines = new LineDecoder((block) => blocks.push(block));
  const one = new EncodedLineDecoder(lines, (encoding, body) => codec.decode(encoding, body));
  return { one, got: () => blocks.join('') };
}

for (const encoding of ENCODINGS) {
  test(`frames come in their order however the stream is cut: ${encoding}`, () => {
    const block = new Codec(ENCODINGS).encode(encoding, LONG);
    const stream = Buffer.concat([
      block,
      Buffer.from('{"C":"Content-Length: 5"}\n[]\n'),
      block,
      block,
      Buffer.from('{}\n'),
    ]);
    for (const size of [1, 7, 100, 65_536]) {
      const { one, got } = decoder();
      const chunk = Buffer.alloc(size);
      for (let at = 0; at < stream.length; at += size) {
        // The buffer of a socket is used again and again.
        const length = stream.copy(chunk, 0, at, at + size);
        one.feed(chunk.subarray(0, length));
      }
      assert.equal(got(), `${LONG}\n{"C":"Content-Length: 5"}\n[]\n${LONG}\n${LONG}\n{}\n`);
    }
  });

  test(`short frames, and what was compressed already, stay as they are: ${encoding}`, () => {
    const codec = new Codec(ENCODINGS);
    assert.equal(codec.encode(encoding, '0'.repeat(1023)), undefined);
    const noise = Array.from({ length: 8000 }, () => Math.floor(Math.random() * 256));
    assert.equal(codec.encode(encoding, Buffer.from(noise).toString('base64')), undefined);
  });

  test(`no more is made of a frame than one may have: ${encoding}`, () => {
    const bomb = new Codec(ENCODINGS).encode(encoding, '0'.repeat(20_000_000));
    assert.throws(() => decoder().one.feed(bomb), isBroken);
  });
}

test('a stream that can not be cut any more is broken', () => {
  const hostile = [
    'Content-Length: 1\r\n\r\nx',
    'Content-Length: 1\r\nContent-Encoding: deflate\r\n\r\nx',
    'Content-Length: 99999999\r\nContent-Encoding: gzip\r\n\r\n',
    'Content-Length: 1\r\nContent-Encoding: gzip\r\n\r\nx',
    `C${'x'.repeat(5000)}`,
  ];
  for (const text of hostile) {
    assert.throws(() => decoder().one.feed(Buffer.from(text)), isBroken, text);
  }
});

/** A backend that opens every session, and keeps all that it is sent. */
async function backend(work) {
  const folder = await mkdtemp(join(tmpdir(), 'deskbus-test-'));
  const received = [];
  const server = createServer((socket) => {
    socket.once('data', (chunk) => {
      const { id, params } = JSON.parse(chunk);
      const encoding = params.encodings?.[0];
      const result = {
        app: params.app,
        client: 'main',
        epoch: 'e',
        resumed: false,
        resumeToken: '',
      };
      socket.write(`${JSON.stringify({ jsonrpc: '2.0', id, result: { ...result, encoding } })}\n`);
    });
    socket.on('data', (chunk) => received.push(chunk));
    socket.on('error', () => undefined);
  });
  server.listen(join(folder, 'pipe'));
  await once(server, 'listening');
  const target = { pipe: join(folder, 'pipe'), app: 'com.example.app', ticket: 'a'.repeat(16) };
  try {
    await work(target, () => Buffer.concat(received));
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
}

async function publishAll(client, received) {
  client.publish('short', 1);
  client.publish('long', 'x'.repeat(5000));
  client.publish('after', 2);
  while (!received().includes('"after"')) await new Promise((resolve) => setImmediate(resolve));
  const wire = received();
  void client.close();
  return wire;
}

test('a client compresses what is long once the backend has agreed', () =>
  backend(async (target, received) => {
    const client = await connect({ ...target, compression: ['gzip'] });
    const wire = await publishAll(client, received);
    const head = wire.indexOf('Content-Length');
    const begin = wire.indexOf('\r\n\r\n') + 4;
    const size = Number(/Content-Length: (\d+)/.exec(wire.toString('latin1', head))[1]);
    const { params } = JSON.parse(gunzipSync(wire.subarray(begin, begin + size)));
    assert.deepEqual(params, { topic: 'long', payload: 'x'.repeat(5000) });
    assert.ok(wire.indexOf('"short"') < head && wire.indexOf('"after"') >= begin + size);
  }));

test('a client that is not told to compress offers nothing, and does not', () =>
  backend(async (target, received) => {
    const wire = await publishAll(await connect(target), received);
    assert.equal(wire.includes('encodings'), false);
    assert.equal(wire.includes('Content-Length'), false);
    assert.equal(wire.includes('x'.repeat(5000)), true);
  }));
