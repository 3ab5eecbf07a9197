// A Node app: answers requests on `convert.fahrenheit`, in a process that the backend started.
'use strict';

const { runAsApp } = require('deskbus-electron/node');

async function main() {
  const app = await runAsApp();
  await app.respond('convert.fahrenheit', (celsius) => Math.round(celsius * 18 + 320) / 10);
  await app.ready();
}

main().catch((error) => {
  console.error(error.message, error.action);
  process.exit(1);
});
