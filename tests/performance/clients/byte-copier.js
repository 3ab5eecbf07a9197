// The client of brokers/byte-copier.js. A publisher sends the frame that deskbus would deliver,
// stamps and all, so that the wire carries as many bytes and receivers parse as much; what one turn
// of the event loop publishes is written at once.
'use strict';
const { createConnection } = require('net');

const NEWLINE = 10;
const STAMPS = {
  id: 'f47ac10b58cc4372a5670e02b2c3d479-0000000001',
  sender: { app: 'deskbus.developer', client: 'developer-1' },
  timestamp: 1_700_000_000_000,
  epoch: 'f47ac10b58cc4372',
  seq: 1_000_000,
  correlationId: 'f47ac10b58cc4372a5670e02b2c3d479',
};

exports.connect = async ({ path }) => {
  const socket = createConnection(path);
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  let outbound = '';
  const flush = () => {
    socket.write(outbound, 'latin1');
    outbound = '';
  };
  return {
    publish(topic, payload) {
      if (!outbound) process.nextTick(flush);
      const params = { topic, payload, ...STAMPS };
      outbound += `${JSON.stringify({ jsonrpc: '2.0', method: 'bus.message', params })}\n`;
    },
    async subscribe(topic, onMessage) {
      const subscribed = new Promise((resolve) => socket.once('data', resolve));
      socket.write('subscribe\n');
      await subscribed;
      let held = '';
      socket.on('data', (chunk) => {
        const end = chunk.lastIndexOf(NEWLINE) + 1;
        if (!end) {
          held += chunk.latin1Slice();
          return;
        }
        const lines = (held + chunk.latin1Slice(0, end - 1)).split('\n');
        held = chunk.latin1Slice(end);
        for (const line of lines) onMessage(JSON.parse(line).params.payload);
      });
    },
    close: () => socket.destroy(),
  };
};
