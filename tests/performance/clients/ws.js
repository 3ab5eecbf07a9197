// The client of brokers/ws.js.
'use strict';
const WebSocket = require('ws');

exports.connect = async ({ port }) => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  const listeners = new Map();
  let subscribed;
  socket.on('message', (data) => {
    const { topic, payload } = JSON.parse(String(data));
    if (topic === undefined) subscribed();
    else listeners.get(topic)(payload);
  });
  return {
    publish: (topic, payload) => socket.send(JSON.stringify({ topic, payload })),
    async subscribe(topic, onMessage) {
      listeners.set(topic, onMessage);
      const confirmed = new Promise((resolve) => {
        subscribed = resolve;
      });
      socket.send(JSON.stringify({ subscribe: topic }));
      await confirmed;
    },
    close: () => socket.terminate(),
  };
};
