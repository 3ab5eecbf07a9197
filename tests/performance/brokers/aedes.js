// Aedes, an MQTT broker of today in Node, on a Unix socket.
// node aedes.js SOCKET
'use strict';
const { createServer } = require('net');
const { Aedes } = require('aedes');

async function serve(path) {
  const broker = await Aedes.createBroker();
  createServer(broker.handle).listen(path);
}

void serve(process.argv[2]);
