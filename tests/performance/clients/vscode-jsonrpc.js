// The client of brokers/vscode-jsonrpc.js: VS Code's own JSON-RPC library at both ends.
'use strict';
const { createConnection } = require('net');

exports.connect = async ({ path, library }) => {
  const { createMessageConnection, StreamMessageReader, StreamMessageWriter } = require(
    `${library}/node`,
  );
  const socket = createConnection(path);
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  const connection = createMessageConnection(
    new StreamMessageReader(socket),
    new StreamMessageWriter(socket),
  );
  connection.listen();
  return {
    publish: (topic, payload) => void connection.sendNotification('publish', { topic, payload }),
    async subscribe(topic, onMessage) {
      connection.onNotification('message', ({ payload }) => onMessage(payload));
      await connection.sendRequest('subscribe', { topic });
    },
    request: (topic, payload) => connection.sendRequest('request', { topic, payload }),
    async respondTo(topic, responder) {
      connection.onRequest('answer', ({ payload }) => responder(payload));
      await connection.sendRequest('respondTo', { topic });
    },
    close: () => socket.destroy(),
  };
};
