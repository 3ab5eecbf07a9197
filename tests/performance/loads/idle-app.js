// An app that is ready and says so on the bus, then does nothing.
'use strict';

const { runAsApp } = require('../../../electron-bridge/dist/node');

async function main() {
  const app = await runAsApp();
  await app.ready();
  app.client.publish(`up.${app.client.app.split('.')[1]}`, process.pid);
}

void main();
