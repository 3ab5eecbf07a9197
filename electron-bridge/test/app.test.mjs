import assert from 'node:assert/strict';
import { once } from 'node:events';
import { openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Backend } from './backend.mjs';
import { source } from './source.mjs';

const { runAsApp } = await source('node/app.ts');

let backend;

beforeEach(async () => {
  backend = new Backend();
  await backend.listen();
  const ticket = join(backend.folder, 'ticket');
  writeFileSync(ticket, 't');
  process.env.DESKBUS_PIPE = backend.pipe;
  process.env.DESKBUS_APP = 'com.example.app';
  process.env.DESKBUS_TICKET_FD = String(openSync(ticket));
});

afterEach(() => backend.close());

for (const method of ['session.open', 'apps.begin']) {
  test(
    `an app whose ${method} is refused is told that alone, and is not held up`,
    { timeout: 5000 },
    async () => {
      const unhandled = [];
      const note = (error) => unhandled.push(error);
      process.on('unhandledRejection', note);
      backend.answers[method] = () => ({ error: { code: -32012, message: 'No.' } });
      const read = { 'orders.#': () => undefined };
      await assert.rejects(runAsApp({ read }), { message: 'No.' });
      await turn();
      process.off('unhandledRejection', note);
      assert.deepEqual(unhandled, []);
      for (const socket of backend.sockets) if (!socket.destroyed) await once(socket, 'close');
    },
  );
}
