// Starts the backend as a shell does, launches an app, and tells both; ends with its standard input.
import { once } from 'node:events';
import { source } from '../../../electron-bridge/test/source.mjs';

const [command, dataDir, config, ...args] = process.argv.slice(2);
const { backendCommand } = await source('main/backend/command.ts');
const { Backend } = await source('main/backend/backend.ts');
const chosen = backendCommand({ command, args: args.length ? args : undefined }, undefined);
const options = {
  command: chosen,
  dataDir,
  config,
  env: {},
  shellName: 'tests',
  locale: () => 'en',
  log: () => {},
};
const backend = new Backend(options);
const tell = (told) => process.stdout.write(`${JSON.stringify(told)}\n`);
try {
  await backend.start();
  const launched = await backend.call('apps.launch', { app: 'desk.app' });
  tell({ pid: backend.pid, state: launched.status?.state ?? launched.state });
  process.stdin.resume();
  await once(process.stdin, 'end');
  await backend.stop();
} catch (error) {
  tell({ failed: error.message, action: error.action, category: error.category });
}
process.exit(0);
