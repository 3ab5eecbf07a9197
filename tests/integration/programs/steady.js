// A Node app: counts what it hears, keeps the count, tells about itself.
'use strict';

const { runAsApp } = require('../../../electron-bridge/dist/node');

let count = 0;

async function main() {
  const app = await runAsApp({
    read: { 'steady.in': (message, self) => heard(message.payload, self) },
    onStop: (self) => self.save(count),
  });
  count = app.state || 0;
  await app.ready();
  app.client.publish('steady.up', {
    count,
    restarts: app.restarts,
    electron: process.env.ELECTRON_RUN_AS_NODE || null,
    pid: process.pid,
  });
}

async function heard(payload, app) {
  if (payload === 'save') await app.save(count);
  else if (payload === 'crash') process.kill(process.pid, 'SIGKILL');
  else if (payload === 'hang') for (;;);
  else if (payload === 'trouble')
    app.trouble(`The exchange does not answer. ${'\u{1f4c9}'.repeat(200)}`);
  else count += 1;
  app.client.publish('steady.out', { count });
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
