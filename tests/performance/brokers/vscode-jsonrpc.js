// A broker of two methods on VS Code's JSON-RPC library, as one would write it in an afternoon.
// node vscode-jsonrpc.js SOCKET
'use strict';
const { createServer } = require('net');
const {
  createMessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
} = require('vscode-jsonrpc/node');

const subscribers = new Map();

createServer((socket) => {
  const connection = createMessageConnection(
    new StreamMessageReader(socket),
    new StreamMessageWriter(socket),
  );
  const topics = [];
  connection.onRequest('subscribe', ({ topic }) => {
    if (!subscribers.has(topic)) subscribers.set(topic, new Set());
    subscribers.get(topic).add(connection);
    topics.push(topic);
    return {};
  });
  connection.onNotification('publish', (params) => {
    const connections = subscribers.get(params.topic);
    if (!connections) return;
    for (const receiver of connections) void receiver.sendNotification('message', params);
  });
  socket.on('close', () => {
    for (const topic of topics) subscribers.get(topic).delete(connection);
    connection.dispose();
  });
  socket.on('error', () => socket.destroy());
  connection.listen();
}).listen(process.argv[2]);
