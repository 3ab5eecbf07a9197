// A stock vscode-jsonrpc client: connects to the pipe, opens a session, publishes and receives.
'use strict';

const net = require('net');
const path = require('path');

const [pipe, ticket, app] = process.argv.slice(2);
const modules = path.join(__dirname, '../../../electron-bridge/node_modules');
const rpc = require(path.join(modules, 'vscode-jsonrpc/node'));

const socket = net.connect(pipe, async () => {
  const connection = rpc.createMessageConnection(
    new rpc.StreamMessageReader(socket),
    new rpc.StreamMessageWriter(socket),
  );
  const received = new Promise((resolve) => connection.onNotification('bus.message', resolve));
  connection.listen();
  const opened = await connection.sendRequest('session.open', {
    ticket,
    app,
    protocolVersion: '1.0',
  });
  await connection.sendRequest('bus.subscribe', { pattern: 'hello.*' });
  const published = await connection.sendRequest('bus.publish', {
    topic: 'hello.world',
    payload: { text: 'Grüße\n' },
  });
  await connection.sendNotification('bus.publish', { topic: 'hello.again', payload: 1 });
  const message = await received;
  const refused = await connection
    .sendRequest('bus.unsubscribe', { pattern: 'never.was' })
    .catch((error) => ({ code: error.code, action: error.data.action }));
  process.stdout.write(JSON.stringify({ opened, published, message, refused }));
  connection.end();
  socket.end();
});
