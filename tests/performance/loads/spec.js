// The frame of every load program: its task comes as one JSON argument, its figure leaves as one JSON
// line on stdout, and its connections stay open until stdin ends, so that the broker can be looked
// at while they are there.
'use strict';
const { fork } = require('child_process');
const { join } = require('path');

const spec = JSON.parse(process.argv[2]);
const connectBy = (client) => require(`../clients/${client}.js`).connect;

// JSON rows of a price board, which compress as such pages do, and the same in every run.
function priceRows(bytes) {
  let text = '';
  for (let row = 0; text.length < bytes; row += 1) {
    const bid = 1 + ((row * 7919) % 10007) / 10007;
    text += JSON.stringify({
      symbol: `FX${(row * 31) % 97}`,
      bid,
      ask: bid + 0.0002,
      at: row * 17,
    });
  }
  return text.slice(0, bytes);
}

process.on('unhandledRejection', (error) => {
  throw error;
});

exports.spec = spec;
exports.text = spec.rows ? priceRows(spec.payload_bytes) : 'x'.repeat(spec.payload_bytes ?? 256);
exports.open = () => connectBy(spec.client)(spec.address);

// Opens `count` connections, one after the other: a listening socket's backlog is short.
exports.openMany = async (count, by = spec.client) => {
  const connect = connectBy(by);
  const clients = [];
  while (clients.length < count) clients.push(await connect(spec.address));
  return clients;
};

exports.report = (figures) => {
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  process.stdin.on('end', () => process.exit(0)).resume();
};

// Starts another load program with the same task; resolves when it says that it is ready.
exports.startPartner = async (program) => {
  const partner = fork(join(__dirname, program), [process.argv[2]]);
  await new Promise((resolve, reject) => {
    partner.once('message', resolve);
    partner.once('exit', () => reject(new Error(`${program} ended early`)));
  });
  return partner;
};

exports.sayReady = () => {
  process.on('disconnect', () => process.exit(0));
  process.send({ ready: true });
};

// The value below which the given part of `sorted` lies.
exports.quantile = (sorted, part) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
