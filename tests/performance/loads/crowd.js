// `clients` connections, each subscribed to a topic of its own, send each other `rate` messages a
// second between them. A message carries the time it was published at; both ends are in this
// process, so there is one clock. Messages are counted for `span_s`, after `warm_s`, or for the first
// of `spans` such spans in which the 99th percentile is below `enough_ms`.
'use strict';
const { openMany, quantile, report, spec, text } = require('./spec.js');

const TICK_MS = 1;
const LAST_WORD_MS = 1000;

const now = () => Number(process.hrtime.bigint()) / 1e6;

async function main() {
  const clients = await openMany(spec.clients);
  const times = [];
  let sent = 0;
  let received = 0;
  let measuring = false;
  const take = (payload) => {
    received += 1;
    if (measuring) times.push(now() - Number(payload.slice(0, payload.indexOf(' '))));
  };
  await Promise.all(clients.map((client, at) => client.subscribe(`crowd.${at}`, take)));

  const began = now();
  const timer = setInterval(() => {
    const due = Math.floor(((now() - began) * spec.rate) / 1000);
    for (; sent < due; sent++) {
      const from = clients[sent % clients.length];
      const stamped = `${now()} ${text}`.slice(0, text.length);
      // Its reader moves on by one with each round, so everybody meets everybody.
      const to = (sent + 1 + Math.floor(sent / clients.length)) % clients.length;
      from.publish(`crowd.${to}`, stamped);
    }
  }, TICK_MS);
  await new Promise((resolve) => setTimeout(resolve, spec.warm_s * 1000));
  measuring = true;
  const best = { best_p99_ms: Infinity, best_per_second: 0 };
  for (let left = spec.spans ?? 1; left > 0 && best.best_p99_ms >= (spec.enough_ms ?? 0); left--) {
    const before = { at: now(), received, measured: times.length };
    await new Promise((resolve) => setTimeout(resolve, spec.span_s * 1000));
    const perSecond = ((received - before.received) * 1000) / (now() - before.at);
    const inSpan = times.slice(before.measured).sort((a, b) => a - b);
    best.best_p99_ms = Math.min(best.best_p99_ms, quantile(inSpan, 0.99) ?? Infinity);
    best.best_per_second = Math.max(best.best_per_second, perSecond);
  }
  measuring = false;
  clearInterval(timer);
  const seconds = (now() - began) / 1000;
  const deadline = now() + LAST_WORD_MS;
  while (received < sent && now() < deadline) await new Promise((resolve) => setImmediate(resolve));

  times.sort((a, b) => a - b);
  report({
    p50_ms: quantile(times, 0.5),
    p95_ms: quantile(times, 0.95),
    p99_ms: quantile(times, 0.99),
    per_second: sent / seconds,
    ...best,
    lost: sent - received,
  });
}

void main();
