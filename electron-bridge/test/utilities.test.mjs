import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { beforeEach, test } from 'node:test';
import { source } from './source.mjs';

const { Utilities } = await source('main/backend/utilities.ts');

const PARAMS = {
  app: 'test.app',
  run: 'run-1',
  entry: '/app/main.js',
  args: ['--quick'],
  env: { LANG: 'C' },
  pipe: '/run/pipe',
  ticket: 'a-secret-ticket-of-the-app',
};

let heard;
let told;
let forked;
let child;

function makeBackend() {
  heard = {};
  told = [];
  return {
    handle: (name, handler) => (heard[name] = handler),
    on: (name, listener) => (heard[name] = listener),
    onNotice: (name, listener) => (heard[name] = listener),
    notify: (method, params) => told.push([method, params]),
  };
}

beforeEach(() => {
  forked = [];
  child = Object.assign(new EventEmitter(), {
    pid: 4711,
    stdout: new EventEmitter(),
    stderr: new EventEmitter(),
    messages: [],
    kills: 0,
    postMessage: (message) => child.messages.push(message),
    kill: () => (child.kills += 1),
  });
  new Utilities(makeBackend(), (...call) => {
    forked.push(call);
    return child;
  });
});

test('a fork is answered with its pid once it runs', async () => {
  const answer = heard['apps.forkUtility'](PARAMS);
  child.emit('spawn');
  assert.deepEqual(await answer, { pid: 4711 });
});

test('the ticket goes over the message port, and nowhere else', () => {
  void heard['apps.forkUtility'](PARAMS).catch(() => undefined);
  const { app, pipe, ticket } = PARAMS;
  assert.deepEqual(child.messages, [{ app, pipe, ticket }]);
  assert.equal(JSON.stringify(forked).includes(ticket), false);
  assert.deepEqual(forked[0][2].env, { LANG: 'C' });
});

test('what it writes and how it ends are handed over', async () => {
  const answer = heard['apps.forkUtility'](PARAMS);
  child.emit('spawn');
  await answer;
  child.stdout.emit('data', Buffer.from('x'.repeat(70_000)));
  child.stderr.emit('data', Buffer.from('oh'));
  child.emit('exit', 3);
  assert.deepEqual(
    told.map(([method, params]) => [method, params.text?.length ?? params.exitCode]),
    [
      ['apps.utilityOutput', 65_536],
      ['apps.utilityOutput', 4464],
      ['apps.utilityOutput', 2],
      ['apps.utilityExited', 3],
    ],
  );
});

test('one that ends before it runs is unavailable', async () => {
  const answer = heard['apps.forkUtility'](PARAMS);
  child.emit('exit', 1);
  await assert.rejects(answer, /ended while it started/);
});

test('the backend ends one by its run, and all end when it is gone', () => {
  void heard['apps.forkUtility'](PARAMS).catch(() => undefined);
  heard['apps.killUtility']({ run: 'another' });
  assert.equal(child.kills, 0);
  heard['apps.killUtility']({ run: 'run-1' });
  heard['down']();
  assert.equal(child.kills, 2);
});

test('without utility processes the answer says what to do', () => {
  new Utilities(makeBackend(), undefined);
  assert.throws(() => heard['apps.forkUtility'](PARAMS), {
    message: /Electron 22 or later/,
    action: /"node"/,
    retryable: false,
  });
});
