// Redis pub/sub over the server's Unix socket. The client pipelines what one turn of the event loop
// sends. In RESP 3 a connection that has subscribed can publish too.
'use strict';
const { createClient } = require('redis');

exports.connect = async ({ path }) => {
  const client = createClient({ RESP: 3, socket: { path } });
  client.on('error', (error) => {
    throw error;
  });
  await client.connect();
  return {
    publish: (topic, payload) => void client.publish(topic, payload),
    subscribe: (topic, onMessage) => client.subscribe(topic, onMessage),
    close: () => client.destroy(),
  };
};
