// One of nine: sends numbered messages to the next, checks those of the one before, and tells.
'use strict';

const { runAsApp } = require('../../../electron-bridge/dist/node');

const [own, from] = process.argv.slice(2);
const EVERY_MS = 10;
const TELL_EVERY = 5;

let expected;
let lost = 0;
let delays = [];

function heard({ payload: { number, at } }, app) {
  lost += number - (expected === undefined ? number : expected);
  expected = number + 1;
  delays.push(Number(process.hrtime.bigint() / 1000n) - at);
  if (delays.length < TELL_EVERY) return;
  app.client.publish(`told.${own}`, { number, lost, delays });
  delays = [];
  lost = 0;
}

async function main() {
  const app = await runAsApp({ read: { [`ring.${from}`]: heard } });
  await app.ready();
  let number = 0;
  setInterval(() => {
    app.client.publish(`ring.${own}`, { number, at: Number(process.hrtime.bigint() / 1000n) });
    number += 1;
  }, EVERY_MS);
}

void main();
