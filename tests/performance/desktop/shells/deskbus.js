// deskbus as an Electron app has it, everything switched on.
'use strict';
const fs = require('fs');
const path = require('path');
const { createShell } = require('../../../../electron-bridge');

const GRANTS = `grants = [
    { permission = "messaging.read", scope = "#" },
    { permission = "messaging.write", scope = "#" },
]`;

const window = (role, url) => `
[[apps]]
id = "bench.${role}"
name = "${role}"
${GRANTS}
[[apps.windows]]
url = "${url}"
width = 400
height = 300
`;

const feed = (program) => `
[[apps]]
id = "bench.feeder"
name = "Feed"
${GRANTS}
[apps.process]
kind = "python"
entry = "${program}"
`;

/** Starts the backend out of a copy of its sources, as if it were installed there. */
const UNCOMPILED = `
import runpy, sys
sys.path[:0] = ${JSON.stringify((process.env.BENCH_SOURCES || '').split(path.delimiter))}
runpy.run_module("deskbus", run_name="__main__", alter_sys=True)
`;

exports.open = async (url, firstMessage) => {
  const folder = process.env.BENCH_FOLDER;
  const config = path.join(folder, 'deskbus.toml');
  const program = path.join(__dirname, '..', 'feed.py');
  fs.writeFileSync(
    config,
    window('receiver', url('receiver')) + window('sender', url('sender')) + feed(program),
  );
  const shell = createShell({
    command: process.env.BENCH_PYTHON,
    dataDir: path.join(folder, 'data'),
    config,
    env: { PATH: [path.dirname(process.env.BENCH_PYTHON), process.env.PATH].join(path.delimiter) },
    ...(process.env.BENCH_SOURCES ? { args: ['-B', '-c', UNCOMPILED] } : {}),
  });
  await shell.start();
  await shell.launch('bench.receiver');
  const of = (app) => shell.windows().find((open) => open.app === app).browserWindow;
  const receiver = of('bench.receiver');
  const first = firstMessage(receiver);
  await first;
  await shell.launch('bench.sender');
  const sender = of('bench.sender');
  let running = false;
  const start = async ({ rate, count }) => {
    if (!running) await shell.launch('bench.feeder');
    running = true;
    // Until the feed listens nobody has the message.
    const order = `deskbus.publish('bench.order', ${JSON.stringify({ rate, count })}, { confirm: true })`;
    for (;;) {
      const { receivers } = await sender.webContents.executeJavaScript(order);
      if (receivers > 0) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  return { receiver, sender, first, feed: start };
};
