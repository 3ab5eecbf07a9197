import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { source } from './source.mjs';

const { descendantsOf, killTree, leftOf, parseProcesses } = await source(
  'main/backend/process-tree.ts',
);

test('descendants are found whatever the order of the list', () => {
  const processes = parseProcesses('  40  30\n  20   1\n  30  20\n  50   1\n\nnonsense\n');
  assert.deepEqual(
    descendantsOf(20, processes).sort((one, other) => one - other),
    [30, 40],
  );
});

test(
  'a tree is killed with what left its group',
  { skip: process.platform === 'win32' },
  async () => {
    const script = `const { spawn } = require('child_process');
    const grandchild = spawn('sleep', ['60'], { detached: true });
    console.log(grandchild.pid);`;
    const keepAlive = `${script} setInterval(() => undefined, 1000);`;
    const child = spawn(process.execPath, ['-e', keepAlive], {
      detached: true,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [pid] = await once(child.stdout, 'data');
    const ended = once(child, 'exit');
    killTree(child.pid);
    await ended;
    const reaped = spawn('ps', ['-o', 'stat=', '-p', String(Number(pid))]);
    let state = '';
    reaped.stdout.on('data', (chunk) => (state += chunk));
    await once(reaped, 'close');
    assert.match(state.trim(), /^(Z.*)?$/);
  },
);

test('a process that stays is told after the limit, and one that has ended is not', async () => {
  const [stays, ends] = [
    ['-e', 'setInterval(() => {}, 1000)'],
    ['-e', ''],
  ].map((words) => spawn(process.execPath, words, { stdio: 'ignore' }));
  await once(ends, 'exit');
  assert.deepEqual(await leftOf([stays.pid, ends.pid], 30), [stays.pid]);
  const ended = once(stays, 'exit');
  stays.kill('SIGKILL');
  await ended;
  assert.deepEqual(await leftOf([stays.pid], 0), []);
});
