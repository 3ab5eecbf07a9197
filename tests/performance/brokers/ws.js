// A bare broker on the `ws` package: a set of sockets for each topic, a message of JSON each.
// node ws.js PORT
'use strict';
const { WebSocketServer } = require('ws');

const subscribers = new Map();

new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]) }).on(
  'connection',
  (socket) => {
    socket.on('message', (data) => {
      const text = String(data);
      const { subscribe, topic } = JSON.parse(text);
      if (subscribe !== undefined) {
        if (!subscribers.has(subscribe)) subscribers.set(subscribe, new Set());
        subscribers.get(subscribe).add(socket);
        socket.send('{}');
        return;
      }
      for (const receiver of subscribers.get(topic) ?? []) receiver.send(text);
    });
    socket.on('close', () => {
      for (const sockets of subscribers.values()) sockets.delete(socket);
    });
    socket.on('error', () => socket.terminate());
  },
);
