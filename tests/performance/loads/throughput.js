// One publisher in a process of its own, `receivers` connections in this one. Deliveries are counted
// here for `span_s`, after `warm_s`. The publisher may be `window` messages ahead of the receivers,
// which is enough to keep every part busy and little enough that no broker drops.
'use strict';
const { openMany, report, spec, startPartner, text } = require('./spec.js');

async function main() {
  const clients = await openMany(spec.receivers);
  const creditEvery = Math.max(1, Math.floor(spec.window / 8)) * spec.receivers;
  let deliveries = 0;
  let creditAt = creditEvery;
  let publisher;
  const count = (payload) => {
    if (payload.length !== text.length) throw new Error('a payload has changed its length');
    deliveries += 1;
    if (deliveries >= creditAt) {
      publisher.send({ received: Math.floor(deliveries / spec.receivers) });
      creditAt += creditEvery;
    }
  };
  await Promise.all(clients.map((client) => client.subscribe(spec.topic, count)));
  publisher = await startPartner('publisher.js');
  publisher.send({ received: 0 });

  await new Promise((resolve) => setTimeout(resolve, spec.warm_s * 1000));
  const before = deliveries;
  const began = process.hrtime.bigint();
  await new Promise((resolve) => setTimeout(resolve, spec.span_s * 1000));
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  const rate = (deliveries - before) / seconds;
  publisher.disconnect();
  report({ per_second: rate, deliveries });
}

void main();
