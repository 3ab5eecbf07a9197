// The publishing half of throughput.js.
'use strict';
const { open, sayReady, spec, text } = require('./spec.js');

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function main() {
  const client = await open();
  const drained = client.drained ?? turn;
  let sent = 0;
  let received = 0;
  let running = false;

  async function pump() {
    running = true;
    while (sent - received < spec.window) {
      for (let count = 0; count < spec.batch; count++) client.publish(spec.topic, text);
      sent += spec.batch;
      await drained();
    }
    running = false;
  }

  process.on('message', (word) => {
    received = word.received;
    if (!running) void pump();
  });
  sayReady();
}

void main();
