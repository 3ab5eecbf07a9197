// deskbus through its own Node client, each connection with the developer ticket of headless mode.
'use strict';
const { readFileSync } = require('fs');

const BUILT = '../../../electron-bridge/dist/node/index.js';

exports.connect = async ({ pipe, app, ticketFile, compression, library = BUILT }) => {
  const { connect } = require(library);
  const ticket = readFileSync(ticketFile, 'utf8').trim();
  const asked = compression ? { compression } : {};
  return asBenchClient(await connect({ pipe, app, ticket, ...asked }));
};

// The load programs' use of a client, over whatever carries it.
function asBenchClient(client) {
  client.on('refused', (refusal) => {
    throw new Error(`refused: ${refusal.message}`);
  });
  client.on('gap', (gap) => {
    throw new Error(`messages ${gap.first} to ${gap.last} of ${gap.topic} were lost`);
  });
  return {
    publish: (topic, payload) => client.publish(topic, payload),
    drained: () => client.drained(),
    subscribe: (pattern, onMessage) =>
      client.subscribe(pattern, (message) => onMessage(message.payload)),

    request: async (topic, payload) => (await client.request(topic, payload)).payload,
    respondTo: (topic, responder) => client.respond(topic, responder),

    openStore: async (topic) => (payload) =>
      client.call('bus.publish', { topic, payload, durable: true }),

    // Nothing is published meanwhile, so all that the subscription hears is the replay.
    async replay(pattern, onMessage) {
      await client.subscribe(pattern, (message) => onMessage(message.payload));
      await client.call('bus.replay', { pattern, since: 0 });
    },
    mint: (app, name) => client.call('session.mintTicket', { app, client: name }),
    close: () => client.close(),
  };
}
exports.asBenchClient = asBenchClient;
