// Copies what publishers send to every subscriber and looks at none of it: the ceiling for a broker.
// node byte-copier.js SOCKET
// A connection whose first line is "subscribe" receives; any other one publishes.
'use strict';
const { createServer } = require('net');

const subscribers = new Set();

createServer((socket) => {
  socket.on('close', () => subscribers.delete(socket));
  socket.on('error', () => socket.destroy());
  let receives = false;
  socket.on('data', (chunk) => {
    if (receives) return;
    if (chunk.toString('latin1') === 'subscribe\n') {
      receives = true;
      subscribers.add(socket);
      socket.write('subscribed\n');
      return;
    }
    for (const subscriber of subscribers) subscriber.write(chunk);
  });
}).listen(process.argv[2]);
