// The Node client, told what to do in lines on stdin; what happens to it is told in lines on stdout.
// It connects to a pipe, or to a site behind the gateway over a link that the tests cut.
'use strict';

const net = require('net');
const { createInterface } = require('readline');
const { connect } = require('../../../../electron-bridge/dist/node');

const [address, app] = process.argv.slice(2);
const place = /^http:/.test(address) ? { site: address } : { pipe: address };
const { DESKBUS_TEST_LINK: link } = process.env;
if (link) {
  const { connect: connectAnywhere } = net;
  net.connect = (options, ...rest) =>
    connectAnywhere(options.port ? { path: link } : options, ...rest);
}
const tell = (word) => process.stdout.write(`${JSON.stringify(word)}\n`);
const tickets = [];
let client;

const operations = {
  ticket: ({ ticket }) => tickets.shift()(ticket),
  subscribe: ({ pattern, mode }) => {
    const listener = ({ topic, payload, redelivery = 0 }) => {
      tell({ message: { topic, number: payload.number, redelivery } });
      if (payload.held) throw new Error('This is not acknowledged.');
    };
    return client.subscribe(pattern, listener, { mode });
  },
  post: ({ topic, number, whileClosed }) => void client.publish(topic, { number }, { whileClosed }),
  call: ({ topic, number, whileClosed }) =>
    client.publish(topic, { number }, { confirm: true, whileClosed }),
};

async function perform({ id, op, ...params }) {
  try {
    await operations[op](params);
    if (id) tell({ done: id });
  } catch (error) {
    tell({ done: id, error: error.code });
  }
}

async function main() {
  createInterface({ input: process.stdin })
    .on('line', (line) => void perform(JSON.parse(line)))
    .on('close', () => process.exit());
  client = await connect({
    ...place,
    app,
    retry: { firstMs: 20 },
    ticketProvider: () => {
      tell({ ticket: true });
      return new Promise((resolve) => tickets.push(resolve));
    },
  });
  client.on('state', (state) => tell({ state }));
  client.on('failed', () => undefined);
  client.on('gap', (gap) => tell({ gap }));
  tell({ state: client.state });
}

void main();
