// The program that the shell starts, what it inherits, and the versions that they tell each other.
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { source } from './source.mjs';

const { backendCommand, backendEnvironment, Backend, leftOf, PROTOCOL_VERSION } = await source(
  'main/backend/command.ts',
  'main/backend/backend.ts',
  'main/backend/process-tree.ts',
  'generated/protocol.ts',
);

let folder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'deskbus-test-'));
});
after(() => rm(folder, { recursive: true }));

test('without a word it is the Python on PATH, which imports nothing of its surroundings', () => {
  const chosen = { file: 'python3', args: ['-I', '-m', 'deskbus'] };
  assert.deepEqual(backendCommand({}, undefined), chosen);
  assert.deepEqual(backendCommand({}, join(folder, 'nothing')), chosen);
});

test('a backend beside the resources of a packaged app comes before any Python', async () => {
  const bundled = join(folder, 'backend', 'deskbus');
  await mkdir(join(folder, 'backend'));
  await writeFile(bundled, '');
  assert.deepEqual(backendCommand({}, folder), { file: bundled, args: [] });
});

test('a command that is named comes before both', () => {
  const named = backendCommand({ command: '/opt/deskbus', args: ['--now'] }, folder);
  assert.deepEqual(named, { file: '/opt/deskbus', args: ['--now'] });
});

test('every Python that is named is isolated, with our module or with what is given', () => {
  for (const command of ['/opt/venv/bin/python', '/usr/bin/python3.12', 'python3'])
    assert.deepEqual(backendCommand({ command }, undefined).args, ['-I', '-m', 'deskbus']);
  const own = backendCommand({ command: 'python3', args: ['-m', 'mine'] }, undefined);
  assert.deepEqual(own.args, ['-I', '-m', 'mine']);
});

test('a path is taken from where this process stands, and a name from PATH', () => {
  assert.equal(backendCommand({ command: './own' }, undefined).file, resolve('own'));
  assert.equal(backendCommand({ command: 'own' }, undefined).file, 'own');
});

test('nothing that redirects a Python is inherited', () => {
  const inherited = { PATH: '/bin', PYTHONPATH: '/evil', PythonHome: '/evil', PYTHONSTARTUP: 'x' };
  assert.deepEqual(backendEnvironment(inherited, { OWN: '1' }), {
    PATH: '/bin',
    PYTHONNOUSERSITE: '1',
    PYTHONSAFEPATH: '1',
    OWN: '1',
  });
});

/** A backend that greets with `version`; all else that it is asked is answered with nothing. */
async function speaking(t, version) {
  const program = join(folder, `speaks-${version}.mjs`);
  await writeFile(
    program,
    `#!${process.execPath}
import { createInterface } from 'node:readline';
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id } = JSON.parse(line);
  const result = { protocolVersion: ${JSON.stringify(version)}, pipe: '/none', epoch: 'e1' };
  if (id !== undefined) process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result }) + '\\n');
});
`,
  );
  await chmod(program, 0o700);
  const command = { file: program, args: [] };
  const options = {
    command,
    env: {},
    dataDir: folder,
    shellName: 'tests',
    log: () => {},
    locale: () => 'en',
  };
  const backend = new Backend(options);
  t.after(() => backend.stop());
  return backend;
}

test('a backend of the same major version is taken', async (t) => {
  const [major, minor] = PROTOCOL_VERSION.split('.').map(Number);
  const backend = await speaking(t, `${major}.${minor + 1}`);
  await backend.start();
  assert.equal(backend.state, 'up');
});

for (const [difference, side] of [
  [1, 'Update deskbus-electron'],
  [-1, 'Update the backend'],
]) {
  test(`a backend of another major version is refused: ${side}`, async (t) => {
    const [major] = PROTOCOL_VERSION.split('.').map(Number);
    const backend = await speaking(t, `${major + difference}.0`);
    await assert.rejects(backend.start(), (error) => error.action.startsWith(side));
  });
}

test('whatever was started is proven to be gone, and a kill is told', async () => {
  const program = join(folder, 'obstinate.mjs');
  const lines = [
    `#!${process.execPath}`,
    "import { spawn } from 'node:child_process';",
    "import { createInterface } from 'node:readline';",
    "const child = spawn('sleep', ['60'], { detached: true });",
    "const result = { protocolVersion: '1.0', pipe: '/none', epoch: String(child.pid) };",
    "createInterface({ input: process.stdin }).on('line', (line) => {",
    '  const { id, method } = JSON.parse(line);',
    "  const answer = JSON.stringify({ jsonrpc: '2.0', id, result });",
    "  if (method !== 'session.shutdown') process.stdout.write(`${answer}\\n`);",
    '});',
    'setInterval(() => {}, 1000);',
  ];
  await writeFile(program, lines.join('\n'));
  await chmod(program, 0o700);
  const command = { file: program, args: [] };
  const options = {
    command,
    env: {},
    dataDir: folder,
    shellName: 'tests',
    log: () => {},
    locale: () => 'en',
  };
  const backend = new Backend(options);
  const { epoch } = await backend.start();
  assert.deepEqual(await backend.stopWhole(50), { isClean: false, left: [] });
  assert.deepEqual(await leftOf([Number(epoch)], 0), []);
});

test('a backend of another major version is refused, and no other is started', async (t) => {
  const [major] = PROTOCOL_VERSION.split('.').map(Number);
  const backend = await speaking(t, `${major + 1}.0`);
  const downs = [];
  backend.on('down', (down) => downs.push(down));
  await assert.rejects(backend.start(), (error) => {
    assert.match(error.message, new RegExp(`speaks protocol ${major + 1}\\.0`));
    assert.ok(error.action);
    return true;
  });
  assert.equal(backend.state, 'stopped');
  assert.ok(downs.every(({ restartInMs }) => restartInMs === undefined));
});
