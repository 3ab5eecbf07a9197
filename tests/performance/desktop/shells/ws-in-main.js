// A WebSocket server in main, which passes every frame on to every page.
'use strict';
const { WebSocketServer } = require('../../../../electron-bridge/node_modules/ws');
const { openWindow, startFeed } = require('./plain.js');

exports.open = async (url, firstMessage) => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await new Promise((resolve) => server.once('listening', resolve));
  const publish = (frame) => {
    for (const client of server.clients) client.send(frame);
  };
  server.on('connection', (client) => client.on('message', (frame) => publish(String(frame))));
  const { port } = server.address();
  const receiver = await openWindow(url('receiver', { port }));
  const first = firstMessage(receiver);
  const sender = await openWindow(url('sender', { port }));
  const feed = startFeed((payload) => publish(JSON.stringify(['bench.feed', payload])));
  return { receiver, sender, first, feed };
};
