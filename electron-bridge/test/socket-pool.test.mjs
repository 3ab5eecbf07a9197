// Many clients on few WebSockets, over a network that may go away without a word.
import { strict as assert } from 'node:assert';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { source } from './source.mjs';

const { SocketPool } = await source('node/link/socket-pool');

const ANSWER_LIMIT_MS = 5_000;
const MAX_CHANNELS = 64;

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

class FakeSocket {
  sent = [];
  closed = false;

  send(text) {
    this.sent.push(text);
  }

  close() {
    this.closed = true;
  }

  say(data) {
    this.onmessage({ data });
  }
}

function pool() {
  const sockets = [];
  const made = new SocketPool('http://site', () => {
    sockets.push(new FakeSocket());
    return sockets.at(-1);
  });
  const dial = () => {
    const client = { lost: false };
    const onClose = () => (client.lost = true);
    const dialed = made.dial({ onClose, onBlockEnd: () => undefined }, () => undefined);
    dialed.connected.then(
      () => (client.connected = true),
      () => undefined,
    );
    return Object.assign(client, { line: dialed.socket });
  };
  return { sockets, dial };
}

const turn = () => new Promise(setImmediate);

test('clients share a socket, and one more than it takes gets another', () => {
  const { sockets, dial } = pool();
  for (let count = 0; count < MAX_CHANNELS; count += 1) dial();
  assert.equal(sockets.length, 1);
  dial();
  assert.equal(sockets.length, 2);
});

test('a socket that can not be made takes none of the room there is', () => {
  let refuses = true;
  const sockets = [];
  const made = new SocketPool('http://site', () => {
    if (refuses) throw new SyntaxError('no such address');
    sockets.push(new FakeSocket());
    return sockets.at(-1);
  });
  const hooks = { onClose: () => undefined, onBlockEnd: () => undefined };
  const dial = () => made.dial(hooks, () => undefined).connected.catch(() => undefined);
  assert.throws(dial, SyntaxError);
  refuses = false;
  for (let count = 0; count < MAX_CHANNELS; count += 1) dial();
  assert.equal(sockets.length, 1);
});

test('a socket that never opens is given up, and the next client has another', async () => {
  const { sockets, dial } = pool();
  const client = dial();
  mock.timers.tick(ANSWER_LIMIT_MS);
  assert.ok(client.lost && sockets[0].closed);
  dial();
  sockets[1].onopen();
  await turn();
  assert.equal(sockets.length, 2);
});

test('a socket on which a client was given up is used again once something comes of it', async () => {
  const { sockets, dial } = pool();
  const client = dial();
  sockets[0].onopen();
  client.line.destroy();
  assert.deepEqual(sockets[0].sent, ['#1.']);
  const next = dial();
  await turn();
  assert.equal(next.connected, undefined);
  sockets[0].say('#1.');
  await turn();
  assert.equal(next.connected, true);
  mock.timers.tick(ANSWER_LIMIT_MS);
  assert.equal(next.lost, false);
});

test('where nothing comes of it the network is gone, and all clients come back on another', async () => {
  const { sockets, dial } = pool();
  const [dead, sibling] = [dial(), dial()];
  sockets[0].onopen();
  dead.line.destroy();
  const waiting = dial();
  mock.timers.tick(ANSWER_LIMIT_MS);
  assert.ok(sibling.lost && waiting.lost && sockets[0].closed);
  const back = dial();
  sockets[1].onopen();
  await turn();
  assert.equal(back.connected, true);
});

test('a client that the gateway ends ends alone', () => {
  const { sockets, dial } = pool();
  const [ended, sibling] = [dial(), dial()];
  sockets[0].onopen();
  sockets[0].say('#1.');
  mock.timers.tick(ANSWER_LIMIT_MS);
  assert.ok(ended.lost && !sibling.lost);
});
