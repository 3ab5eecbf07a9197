// The answering half of roundtrip.js.
'use strict';
const { open, sayReady } = require('./spec.js');

async function main() {
  const client = await open();
  await client.subscribe('bench.ping', (payload) => client.publish('bench.pong', payload));
  sayReady();
}

void main();
