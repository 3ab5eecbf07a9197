// A broker for messages and requests on VS Code's JSON-RPC library, as one would write it in an afternoon.
// node vscode-jsonrpc.js SOCKET LIBRARY
'use strict';
const { createServer } = require('net');
const {
  createMessageConnection,
  ResponseError,
  StreamMessageReader,
  StreamMessageWriter,
} = require(`${process.argv[3]}/node`);

const NO_RESPONDER = -32001;

const subscribers = new Map();
const responders = new Map();

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
  connection.onRequest('respondTo', ({ topic }) => {
    responders.set(topic, connection);
    return {};
  });
  connection.onRequest('request', (params) => {
    const responder = responders.get(params.topic);
    if (!responder) return new ResponseError(NO_RESPONDER, 'Nobody answers on this topic.');
    return responder.sendRequest('answer', params);
  });
  socket.on('close', () => {
    for (const topic of topics) subscribers.get(topic).delete(connection);
    for (const [topic, responder] of responders) {
      if (responder === connection) responders.delete(topic);
    }
    connection.dispose();
  });
  socket.on('error', () => socket.destroy());
  connection.listen();
}).listen(process.argv[2]);
