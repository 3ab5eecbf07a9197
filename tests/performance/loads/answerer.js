// The answering half of request.js.
'use strict';
const { open, sayReady, spec } = require('./spec.js');

async function main() {
  const client = await open();
  await client.respondTo(spec.topic, (payload) => payload);
  sayReady();
}

void main();
