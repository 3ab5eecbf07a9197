import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { source } from './source.mjs';

const { Backend } = await source('main/backend/backend.ts');

/**
 * A process that answers the shell's greeting, and every other call with nothing. Its child holds
 * its stderr open, as the backend's watchdog does.
 */
const PROGRAM = `
  const { spawn } = require('child_process');
  spawn('sleep', ['60'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const { createInterface } = require('readline');
  createInterface({ input: process.stdin }).on('line', (line) => {
    const { id, method } = JSON.parse(line);
    const hello = { protocolVersion: '1.0', version: '0', epoch: 'e', pipe: '/p', pid: process.pid };
    const result = method === 'session.hello' ? hello : {};
    if (id !== undefined) console.log(JSON.stringify({ jsonrpc: '2.0', id, result }));
  }).on('close', () => process.exit(0));
`;

let backend;

beforeEach(() => {
  backend = new Backend({
    command: { file: process.execPath, args: ['-e', PROGRAM, '--'] },
    dataDir: tmpdir(),
    config: undefined,
    env: {},
    shellName: 'test',
    locale: () => 'en',
    log: () => undefined,
  });
});

afterEach(() => backend.stop());

test('whoever tells a backend something that has just died is not the worse for it', async () => {
  await backend.start(Promise.resolve());
  const down = new Promise((resolve) => void backend.once('down', resolve));
  process.kill(backend.pid, 'SIGKILL');
  while (backend.state === 'up') {
    backend.notify('ui.quitting', {});
    await turn();
  }
  assert.equal((await down).signal, 'SIGKILL');
});
