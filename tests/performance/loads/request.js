// Requests on a topic, answered with their own payload by a process of its own: first one in flight
// at a time, then `window` at any time. Answers are counted for `span_s`, after `warm_s`.
'use strict';
const { open, quantile, report, spec, startPartner, text } = require('./spec.js');

const WARM_ROUNDS = 500;

async function main() {
  const client = await open();
  const responder = await startPartner('answerer.js');
  const ask = async () => {
    const answer = await client.request(spec.topic, text);
    if (answer.length !== text.length) throw new Error('a payload has changed its length');
  };
  const times = [];
  for (let round = -WARM_ROUNDS; round < spec.rounds; round++) {
    const began = process.hrtime.bigint();
    await ask();
    if (round >= 0) times.push(Number(process.hrtime.bigint() - began) / 1000);
  }

  let answers = 0;
  let running = true;
  const askOn = async () => {
    while (running) {
      await ask();
      answers += 1;
    }
  };
  const lanes = Array.from({ length: spec.window }, askOn);
  await new Promise((resolve) => setTimeout(resolve, spec.warm_s * 1000));
  const before = answers;
  const began = process.hrtime.bigint();
  await new Promise((resolve) => setTimeout(resolve, spec.span_s * 1000));
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  const rate = (answers - before) / seconds;
  running = false;
  await Promise.all(lanes);
  responder.disconnect();
  times.sort((a, b) => a - b);
  report({ per_second: rate, p50_us: quantile(times, 0.5), p99_us: quantile(times, 0.99) });
}

void main();
