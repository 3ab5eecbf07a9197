// Electron's main process under measurement: opens two windows on the wire that its argument names,
// and runs the tasks that come, a JSON line each, over the socket whose path is the next argument.
// A figure, a JSON line too, is the answer.
'use strict';
const net = require('net');
const path = require('path');
const { performance } = require('perf_hooks');
const { app } = require('electron');

const [wire, socket] = process.argv.slice(-2);
const loadsFrom = performance.now();
const shell = require(`./shells/${wire}.js`);
const loaded = performance.now() - loadsFrom;
const clock = () => performance.timeOrigin + performance.now();

app.commandLine.appendSwitch('disable-renderer-backgrounding');
app.commandLine.appendSwitch('disable-background-timer-throttling');
app.on('window-all-closed', () => app.quit());

const url = (role, parameters = {}) => {
  const page = new URL(`file://${path.join(__dirname, 'page.html')}`);
  page.search = new URLSearchParams({ wire, role, ...parameters }).toString();
  return page.href;
};

function load(window, name, task = {}) {
  return window.webContents.executeJavaScript(`bench.${name}(${JSON.stringify(task)})`);
}

let topics = 0;
const nextTopic = () => `bench.t${++topics}`;

const TASKS = {
  async first({ first, readyAt }) {
    return { first_ms: (await first) - readyAt, load_ms: loaded };
  },

  async idle({ sender, receiver }, { count, gap_ms }) {
    const topic = nextTopic();
    const warm = Math.ceil(count / 10);
    await load(receiver, 'listen', { topic, ends: count + warm });
    await load(sender, 'trickle', { topic, count: count + warm, gapMs: gap_ms });
    const { p50_ms, p99_ms } = await load(receiver, 'heard', { warm });
    return { p50_ms, p99_ms };
  },

  async burst({ sender, receiver }, { count }) {
    const topic = nextTopic();
    await load(receiver, 'listen', { topic, ends: count });
    const began = await load(sender, 'burst', { topic, count });
    const heard = await load(receiver, 'heard');
    return {
      all_ms: heard.last - began,
      first_ms: heard.first - began,
      arrived: heard.count / count,
      fps: heard.fps,
    };
  },

  async flood({ sender, receiver }, { warm_ms, span_ms }) {
    const topic = nextTopic();
    await load(receiver, 'count', { topic });
    const flood = load(sender, 'flood', { topic, spanMs: warm_ms + span_ms + 300 });
    await new Promise((resolve) => setTimeout(resolve, warm_ms));
    const [before, began] = await load(receiver, 'deliveriesNow');
    await new Promise((resolve) => setTimeout(resolve, span_ms));
    const [after, ended] = await load(receiver, 'deliveriesNow');
    await flood;
    return { per_second: ((after - before) * 1000) / (ended - began) };
  },

  async request({ sender, receiver }, { rounds, window }) {
    const topic = nextTopic();
    await load(receiver, 'answer', { topic });
    return load(sender, 'ask', { topic, rounds, window });
  },

  async feed({ receiver, feed }, { rate, span_s }) {
    const ends = rate * span_s;
    await load(receiver, 'listen', { topic: 'bench.feed', ends });
    await feed({ rate, count: ends });
    const { p50_ms, p99_ms, fps, count } = await load(receiver, 'heard', { warm: ends / 10 });
    return { p50_ms, p99_ms, fps, lost: ends - count };
  },
};

async function run() {
  let readyAt;
  app.once('ready', () => (readyAt = clock()));
  const opened = await shell.open(url, (window) => load(window, 'first'));
  const desk = { ...opened, readyAt };
  net
    .createServer((connection) => {
      let held = '';
      connection.on('data', async (data) => {
        held += data;
        if (!held.endsWith('\n')) return;
        const { task, ...parameters } = JSON.parse(held);
        held = '';
        const answer = task === 'hello' ? { up: true } : await TASKS[task](desk, parameters);
        connection.write(`${JSON.stringify(answer)}\n`);
      });
      connection.on('error', () => undefined);
    })
    .listen(socket);
}

process.on('unhandledRejection', (error) => {
  console.error(error);
  app.exit(1);
});
run();
