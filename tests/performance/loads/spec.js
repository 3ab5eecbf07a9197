// The frame of every load program: its task comes as one JSON argument, its figure leaves as one JSON
// line on stdout, and its connections stay open until stdin ends, so that the broker can be looked
// at while they are there.
'use strict';
const { fork } = require('child_process');
const { join } = require('path');

const spec = JSON.parse(process.argv[2]);
const connectBy = (client) => require(`../clients/${client}.js`).connect;

process.on('unhandledRejection', (error) => {
  throw error;
});

exports.spec = spec;
exports.text = 'x'.repeat(spec.payload_bytes ?? 256);
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
