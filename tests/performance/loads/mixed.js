// Mixed traffic of `clients` connections for `span_s`, at `rate` messages a second between them: one
// in ten is heard by everybody on a wildcard of its group, one in ten is a request, one in ten is
// durable, one in ten an FDC3 context's topic; the others go from one client to one other. Of the
// clients `pages` come as pages do, each by a WebSocket of its own (`page_client`). Reports latencies
// of each `window_s`, of each kind, and of what pages hear.
'use strict';
const { openMany, quantile, report, spec, text } = require('./spec.js');

const TICK_MS = 2;
const GROUP = 10;
const LAST_WORD_MS = 5000;
const KINDS = ['one', 'one', 'one', 'group', 'request', 'one', 'durable', 'one', 'context', 'one'];

const now = () => Number(process.hrtime.bigint()) / 1e6;

async function main() {
  const clients = await openMany(spec.clients - spec.pages);
  const isPage = new Set();
  for (const page of await openMany(spec.pages, spec.page_client)) {
    // Between the others, and never the first of a group, which answers requests.
    const at = isPage.size * Math.floor(spec.clients / spec.pages) + 1;
    clients.splice(at, 0, page);
    isPage.add(page);
  }
  const stores = await Promise.all(
    clients.map((client, at) => client.openStore(`stored.group${Math.floor(at / GROUP)}`)),
  );
  const times = [];
  const due = { one: 0, group: 0, request: 0, durable: 0, context: 0 };
  const done = { ...due };
  const failed = { ...due };
  let measuring = false;
  const note = (kind, sentAt, client) => {
    done[kind] += 1;
    if (measuring) times.push([now() - began, now() - sentAt, kind, isPage.has(client)]);
  };
  const takeBy = (client) => (kind) => (payload) =>
    note(kind, Number(payload.slice(0, payload.indexOf(' '))), client);
  await Promise.all(
    clients.map(async (client, at) => {
      const take = takeBy(client);
      await client.subscribe(`load.one.${at}`, take('one'));
      const group = Math.floor(at / GROUP);
      await client.subscribe(`load.group.${group}.*`, take('group'));
      if (at % GROUP === 0) {
        await client.subscribe(`stored.group${group}`, take('durable'));
        await client.subscribe(`fdc3.channel.user.c${group}.#`, take('context'));
        await client.respondTo(`load.request.${at}`, (payload) => payload);
      }
    }),
  );

  const members = (group) => Math.min(GROUP, clients.length - group * GROUP);
  const say = (number) => {
    const kind = KINDS[number % KINDS.length];
    const at = number % clients.length;
    const client = clients[at];
    const group = Math.floor(at / GROUP);
    const other = (at + 1 + Math.floor(number / clients.length)) % clients.length;
    const sentAt = now();
    const stamped = `${sentAt} ${text}`.slice(0, text.length);
    due[kind] += kind === 'group' ? members(group) : 1;
    const fails = () => (failed[kind] += 1);
    if (kind === 'one') client.publish(`load.one.${other}`, stamped);
    else if (kind === 'group') client.publish(`load.group.${group}.m${at % GROUP}`, stamped);
    else if (kind === 'context') client.publish(`fdc3.channel.user.c${group}.instrument`, stamped);
    else if (kind === 'durable') stores[at](stamped).catch(fails);
    else
      client
        .request(`load.request.${group * GROUP}`, stamped)
        .then(() => note(kind, sentAt, client))
        .catch(fails);
  };

  const began = now();
  let sent = 0;
  const timer = setInterval(() => {
    const upTo = Math.floor(((now() - began) * spec.rate) / 1000);
    while (sent < upTo) say(sent++);
  }, TICK_MS);
  await new Promise((resolve) => setTimeout(resolve, spec.warm_s * 1000));
  measuring = true;
  await new Promise((resolve) => setTimeout(resolve, spec.span_s * 1000));
  measuring = false;
  clearInterval(timer);
  const seconds = (now() - began) / 1000;
  const missing = () => Object.keys(due).reduce((all, kind) => all + due[kind] - done[kind], 0);
  const deadline = now() + LAST_WORD_MS;
  while (missing() > 0 && now() < deadline) await new Promise((resolve) => setImmediate(resolve));

  const four = (chosen) => {
    const sorted = chosen.map(([, took]) => took).sort((a, b) => a - b);
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map((part) => quantile(sorted, part) ?? 0);
    return { p50, p95, p99, max: sorted[sorted.length - 1] ?? 0, count: sorted.length };
  };
  const windowsOf = (chosen) => {
    const each = [];
    const windows = Math.ceil((spec.warm_s + spec.span_s) / spec.window_s);
    for (let at = 0; at < windows; at++) {
      const within = chosen.filter(([ms]) => Math.floor(ms / 1000 / spec.window_s) === at);
      if (within.length) each.push({ at_s: at * spec.window_s, ...four(within) });
    }
    return each;
  };
  const heardByPages = times.filter(([, , , byPage]) => byPage);
  const kinds = {};
  for (const kind of Object.keys(due)) kinds[kind] = four(times.filter(([, , of]) => of === kind));
  const figures = {
    all: four(times),
    each: windowsOf(times),
    pages: four(heardByPages),
    each_of_pages: windowsOf(heardByPages),
    kinds,
    per_second: sent / seconds,
  };
  report({ ...figures, lost: missing(), failed: Object.values(failed).reduce((a, b) => a + b) });
}

void main();
