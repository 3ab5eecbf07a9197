// Two clients of one app in one process: the first publishes, the second tells what it got.
'use strict';

const net = require('net');
const { connect } = require('../../electron-bridge/dist/node');

let sockets = 0;
const { connect: connectStream } = net;
net.connect = (...options) => {
  sockets += 1;
  return connectStream(...options);
};

const [site, app, ...tickets] = process.argv.slice(2);

async function main() {
  const open = (ticket) => connect({ site, app, ticket });
  const [one, other] = await Promise.all(tickets.map(open));
  const ask = () => one.publish('pooled', 'é'.repeat(200000), { confirm: true });
  const got = new Promise((resolve) => void other.subscribe('pooled', resolve).then(ask));
  const { payload, sender } = await got;
  await one.close();
  const { seq } = await other.publish('pooled.alone', 1, { confirm: true });
  await other.close();
  process.stdout.write(
    JSON.stringify({
      sender: sender.client,
      receiver: other.client,
      characters: payload.length,
      sockets,
      alone: seq,
    }),
  );
}

void main();
