import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { after, afterEach, beforeEach, test } from 'node:test';
import { MessageChannel, Worker } from 'node:worker_threads';
import { Backend } from './backend.mjs';
import { bundled, source } from './source.mjs';

const { RelaysInProcess } = await source('main/relay-process.ts');
const { pageLine } = await source('ipc/page-lines.ts');
const entry = await bundled('relay/index.ts');
after(() => entry.remove());

const APP = 'com.example.app';

/** Node's worker thread in the place of Electron's utility process. */
class Utility extends EventEmitter {
  constructor() {
    super();
    this.worker = new Worker(entry.file);
    this.worker.on('message', (word) => this.emit('message', word));
    this.worker.on('error', (error) => this.emit('error', error));
    this.worker.on('exit', (code) => this.emit('exit', code));
  }

  postMessage(word, [page]) {
    this.worker.postMessage({ word, page }, page ? [page] : []);
  }

  kill() {
    void this.worker.terminate();
  }
}

/** A window whose page keeps the lines that come to it. */
class Contents extends EventEmitter {
  lines = [];
  reloads = 0;
  last = 0;

  isDestroyed() {
    return false;
  }

  reload() {
    this.reloads += 1;
    this.emit('reload');
  }

  postMessage(channel, token, [port]) {
    assert.equal(channel, 'deskbus:port');
    this.port = port;
    this.token = token;
    port.on('message', (text) => {
      this.lines.push(...text.split('\n'));
      this.emit('lines');
    });
    this.emit('port');
  }

  /** Begins a page; resolves when it has its port. */
  async load(token) {
    const came = once(this, 'port');
    this.endpoint.ready(token);
    await came;
  }

  say(...lines) {
    this.port.postMessage(['lines', this.token, lines.join('\n')]);
  }

  async until(fits) {
    for (;;) {
      const found = this.lines.find(fits);
      if (found !== undefined) return found;
      await once(this, 'lines');
    }
  }

  async call(operation, params) {
    const number = ++this.last;
    this.say(pageLine(number, operation, JSON.stringify(params)));
    const line = await this.until((one) => one.startsWith(`${number} `));
    return JSON.parse(line.slice(line.indexOf(' ')));
  }
}

let backend;
let relays;
let forked;
let minted;

beforeEach(async () => {
  backend = new Backend();
  await backend.listen();
  forked = [];
  minted = [];
  relays = new RelaysInProcess({
    fork: () => {
      forked.push(new Utility());
      return forked[forked.length - 1];
    },
    makeChannel: () => new MessageChannel(),
    addPage: (contents, endpoint) => (contents.endpoint = endpoint),
  });
});

afterEach(async () => {
  relays.close();
  for (const { worker } of forked) await worker.terminate();
  await backend.close();
});

async function open(
  mint = () => Promise.resolve({ ticket: `t${minted.length}`, pipe: backend.pipe }),
) {
  const contents = new Contents();
  const relay = relays.open(APP, contents, () => {
    minted.push(contents);
    return mint();
  });
  await relay.opened;
  return { contents, relay };
}

test('a page reaches the backend past main, which mints its ticket and sees no line', async () => {
  const { contents } = await open();
  await contents.load('page-1');
  contents.say(pageLine(0, 'publish', '{"topic":"a","payload":1}'));
  assert.deepEqual(await contents.call('request', { topic: 'b', payload: 2 }), { result: {} });
  assert.deepEqual(await backend.calls('bus.publish', 1), [{ topic: 'a', payload: 1 }]);
  assert.deepEqual(await backend.calls('bus.request', 1), [{ topic: 'b', payload: 2 }]);
  const [{ ticket, app }] = await backend.calls('session.open', 1);
  assert.deepEqual([ticket, app, minted.length, forked.length], ['t1', APP, 1, 1]);
});

test('messages come over the port, and go to the window whose connection they came on', async () => {
  const { contents } = await open();
  const other = await open();
  await contents.load('page-1');
  await other.contents.load('page-1');
  await other.contents.call('subscribe', { pattern: 'a' });
  // The connection that came last is the other window's.
  backend.send({ topic: 'a', seq: 1 });
  const line = await other.contents.until((one) => one.includes('bus.message'));
  assert.equal(JSON.parse(line).params.topic, 'a');
  assert.equal(
    contents.lines.some((one) => one.includes('bus.message')),
    false,
  );
});

test('a later page ends the subscriptions of the one before, whose port is of no use then', async () => {
  const { contents } = await open();
  await contents.load('page-1');
  await contents.call('subscribe', { pattern: 'a' });
  const { port } = contents;
  await contents.load('page-2');
  await backend.calls('bus.unsubscribe', 1);
  port.postMessage(['lines', 'page-1', pageLine(0, 'publish', '{"topic":"late","payload":1}')]);
  port.postMessage(['lines', 'page-2', pageLine(0, 'publish', '{"topic":"late","payload":1}')]);
  await contents.call('request', { topic: 'b', payload: 2 });
  assert.equal(
    backend.frames.some(({ method }) => method === 'bus.publish'),
    false,
  );
});

test('nonsense on a port harms nobody', async () => {
  const { contents } = await open();
  await contents.load('page-1');
  for (const word of [null, 7, 'lines', [], ['lines'], ['lines', 'page-1', 7], ['open', 1], {}]) {
    contents.port.postMessage(word);
  }
  contents.port.postMessage(['taken', 'page-1', -1]);
  contents.port.postMessage(['lines', 'page-9', pageLine(0, 'publish', '{"topic":"x"}')]);
  contents.say('0 publish refuse {"topic":"a"},"id":1');
  assert.match(await contents.until((one) => one.startsWith('refused ')), /-32602/);
  assert.deepEqual(await contents.call('request', { topic: 'b', payload: 2 }), { result: {} });
  assert.equal(
    backend.frames.some(({ method }) => method === 'bus.publish'),
    false,
  );
});

test('a window that gets no ticket is told so', async () => {
  const refusal = Object.assign(new Error('no'), { code: -32010 });
  await assert.rejects(
    open(() => Promise.reject(refusal)),
    { name: 'DeskbusError' },
  );
});

test('a window that closes leaves for good', async () => {
  const { contents, relay } = await open();
  await contents.load('page-1');
  await relay.close();
  await backend.calls('session.leave', 1);
});

test('where the process dies another one takes its place, and pages are loaded anew', async () => {
  const { contents } = await open();
  await contents.load('page-1');
  const reloaded = once(contents, 'reload');
  forked[0].kill();
  await reloaded;
  await contents.load('page-2');
  assert.deepEqual(await contents.call('request', { topic: 'b', payload: 2 }), { result: {} });
  assert.deepEqual([forked.length, minted.length, contents.reloads], [2, 2, 1]);
});
