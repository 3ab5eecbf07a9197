import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { beforeEach, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { source } from './source.mjs';

const { Shell } = await source('main/shell.ts');

let shell;
let backend;
let calls;

beforeEach(() => {
  shell = new Shell({ dataDir: tmpdir(), shellName: 'test', log: () => undefined });
  ({ backend } = shell);
  calls = [];
  backend.call = (method, { app }) => {
    calls.push(`${method} ${app}`);
    return Promise.resolve({ status: { app, state: 'ready', windows: [] } });
  };
});

function changed(app, state) {
  const params = { status: { app, state, windows: [] } };
  backend.emit('notification', { method: 'apps.changed', params });
}

test('apps come back once, whatever the number of attempts to start the backend', async () => {
  changed('test.runs', 'ready');
  changed('test.ended', 'stopped');
  for (let attempt = 0; attempt < 3; attempt += 1) {
    backend.emit('down', { code: 1, signal: null, restartInMs: 1 });
  }
  backend.emit('up', {});
  await turn();
  assert.deepEqual(calls, ['apps.launch test.runs']);
  backend.emit('up', {});
  await turn();
  assert.equal(calls.length, 1);
});

test('a notification that breaks its schema is passed over', async () => {
  let uncaught = 0;
  const count = () => (uncaught += 1);
  process.on('uncaughtException', count);
  for (const method of ['ui.showNotice', 'ui.closeNotice', 'ui.closeDialog']) {
    backend.emit('notification', { method, params: { unknown: 1 } });
  }
  await new Promise((resolve) => void setTimeout(resolve, 1));
  process.off('uncaughtException', count);
  assert.equal(uncaught, 0);
});
