// The loads of a page. Main calls them by name, one half in each window.
'use strict';

const TEXT = 'x'.repeat(200);
const WINDOW = 4096;
const BATCH = 64;
const QUIET_MS = 4000;
const WARM_REQUESTS = 300;
const CLOCK_LOOKS = 15;

/** The time by which performance.now() is behind Unix time, ms; found anew before each load. */
let epoch = 0;
const clock = () => epoch + performance.now();

/** Looks at a few ticks of the wall clock. Whatever comes in between makes the difference smaller. */
function setClock() {
  epoch = -Infinity;
  for (let looks = 0; looks < CLOCK_LOOKS; looks += 1) {
    const before = Date.now();
    let now = before;
    while (now === before) now = Date.now();
    epoch = Math.max(epoch, now - performance.now());
  }
}

const ready = window.wires.openWire();
const turn = () =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = resolve;
    port2.postMessage(0);
  });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

/** Frames a second, drawn while something on the page changes. */
function frames() {
  const began = performance.now();
  let count = 0;
  let on = true;
  const draw = () => {
    count += 1;
    document.querySelector('p').textContent = `${count}`;
    if (on) requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
  return () => {
    on = false;
    return (count * 1000) / (performance.now() - began);
  };
}

const bench = {
  /** When the first message that this page sent to itself was there. */
  async first() {
    const wire = await ready;
    return new Promise((resolve) => {
      const begin = wire.subscribe('bench.first', () => resolve(Date.now()));
      begin.then(() => wire.publish('bench.first', 1));
    });
  },

  async listen({ topic, ends }) {
    const wire = await ready;
    setClock();
    const got = (bench.got = { delays: [], first: 0, last: 0, count: 0, fps: frames() });
    Object.assign(window.wires.lost, { gaps: 0, refused: 0 });
    let wake;
    got.done = new Promise((resolve) => (wake = resolve));
    let quiet;
    await wire.subscribe(topic, ({ at }) => {
      if (bench.got !== got) return;
      const now = clock();
      if (got.count === 0) got.first = now;
      got.count += 1;
      got.last = now;
      got.delays.push(now - at);
      if (got.count === ends) wake();
      if (!quiet) quiet = setInterval(() => clock() - got.last > QUIET_MS && wake(), 200);
    });
    got.done.then(() => clearInterval(quiet));
  },

  /** The outcome of `listen`, once all of it is there or nothing comes any more. */
  async heard({ warm = 0 } = {}) {
    const { got } = bench;
    await got.done;
    const delays = got.delays.slice(warm);
    return {
      count: got.count,
      first: got.first,
      last: got.last,
      p50_ms: quantile(delays, 0.5),
      p99_ms: quantile(delays, 0.99),
      fps: got.fps(),
      ...window.wires.lost,
    };
  },

  /** One message at a time, on a desktop that does nothing else. */
  async trickle({ topic, count, gapMs }) {
    const wire = await ready;
    setClock();
    for (let sent = 0; sent < count; sent += 1) {
      wire.publish(topic, { at: clock(), text: TEXT });
      await pause(gapMs);
    }
  },

  /** All at once; returns when it began. */
  async burst({ topic, count }) {
    const wire = await ready;
    setClock();
    const began = clock();
    for (let sent = 0; sent < count; sent += 1) wire.publish(topic, { at: began, text: TEXT });
    return began;
  },

  async count({ topic }) {
    const wire = await ready;
    bench.deliveries = 0;
    await wire.subscribe(topic, () => {
      bench.deliveries += 1;
      if (bench.deliveries % (WINDOW / 8) === 0) {
        wire.publish(`${topic}.credit`, { received: bench.deliveries });
      }
    });
  },

  /** Messages a second that the other window counts; it is `WINDOW` messages behind at most. */
  async flood({ topic, spanMs }) {
    const wire = await ready;
    let received = 0;
    let sent = 0;
    let wake = () => undefined;
    await wire.subscribe(`${topic}.credit`, (credit) => {
      received = credit.received;
      wake();
    });
    const end = performance.now() + spanMs;
    while (performance.now() < end) {
      for (let left = BATCH; left > 0 && sent < received + WINDOW; left -= 1) {
        wire.publish(topic, { at: 0, text: TEXT });
        sent += 1;
      }
      if (sent < received + WINDOW) await turn();
      else await Promise.race([new Promise((resolve) => (wake = resolve)), pause(500)]);
    }
  },

  deliveriesNow: () => [bench.deliveries, clock()],

  async answer({ topic }) {
    const wire = await ready;
    await wire.respond(topic, ({ number }) => ({ number, text: TEXT }));
  },

  async ask({ topic, rounds, window }) {
    const wire = await ready;
    const times = [];
    const one = async (number) => {
      const began = performance.now();
      const answer = await wire.request(topic, { number, text: TEXT });
      if (answer.number !== number) throw new Error('the answer to another request');
      times.push(performance.now() - began);
    };
    let last = 0;
    const worker = async (until) => {
      while (last < until) await one(++last);
    };
    await worker(WARM_REQUESTS);
    times.length = 0;
    await worker(last + rounds);
    const p50_ms = quantile(times, 0.5);
    const p99_ms = quantile(times, 0.99);
    const workers = (until) => Promise.all(Array.from({ length: window }, () => worker(until)));
    await workers(last + rounds);
    const began = performance.now();
    const first = last;
    await workers(last + 4 * rounds);
    const per_second = ((last - first) * 1000) / (performance.now() - began);
    return { p50_ms, p99_ms, per_second };
  },
};
window.bench = bench;
