// Ping on one topic, pong on another from a process of its own; one message in flight at a time.
'use strict';
const { open, quantile, report, spec, startPartner, text } = require('./spec.js');

const WARM_ROUNDS = 500;

async function main() {
  const client = await open();
  let pong;
  await client.subscribe('bench.pong', () => pong());
  const responder = await startPartner('responder.js');
  const times = [];
  for (let round = -WARM_ROUNDS; round < spec.rounds; round++) {
    const began = process.hrtime.bigint();
    await new Promise((resolve) => {
      pong = resolve;
      client.publish('bench.ping', text);
    });
    if (round >= 0) times.push(Number(process.hrtime.bigint() - began) / 1000);
  }
  responder.disconnect();
  times.sort((a, b) => a - b);
  report({ p50_us: quantile(times, 0.5), p99_us: quantile(times, 0.99) });
}

void main();
