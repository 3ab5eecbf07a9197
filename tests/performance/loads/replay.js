// Stores `count` messages, then reads them all from the beginning, on another connection.
'use strict';
const { open, report, spec, text } = require('./spec.js');

const WINDOW = 500;

async function fill() {
  const client = await open();
  const store = await client.openStore(spec.topic);
  let left = spec.count;
  const publishOn = async () => {
    while (left > 0) {
      left -= 1;
      await store(text);
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, publishOn));
  await client.close();
}

async function main() {
  await fill();
  const client = await open();
  const began = process.hrtime.bigint();
  await new Promise((resolve, reject) => {
    let received = 0;
    const count = (payload) => {
      if (payload.length !== text.length) throw new Error('a payload has changed its length');
      received += 1;
      if (received === spec.count) resolve();
    };
    client.replay(spec.topic, count).catch(reject);
  });
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  report({ per_second: spec.count / seconds });
}

void main();
