// deskbus through its gateway, with the SDK for pages: a socket of its own for each connection, opened
// with a ticket that the developer gets over the pipe.
'use strict';
const WebSocket = require('ws');
const pipe = require('./deskbus.js');

let clients = 0;

exports.connect = async ({ site, pageApp, ...address }) => {
  const { Client, SocketPool } = await import('../../../electron-bridge/dist/web/index.mjs');
  const { authority, port } = site;
  const developer = await pipe.connect(address);
  const name = `bench-${process.pid}-${(clients += 1)}`;
  const { ticket } = await developer.mint(pageApp, name);
  const pool = new SocketPool(`ws://127.0.0.1:${port}/bus`, (url) => {
    const headers = { host: authority };
    const socket = new WebSocket(url, {
      origin: `http://${authority}`,
      headers,
    });
    const given = Object.create(socket);
    Object.defineProperty(given, 'onmessage', {
      set(listener) {
        socket.on('message', (data) => listener({ data: String(data) }));
      },
    });
    for (const event of ['onopen', 'onclose']) {
      Object.defineProperty(given, event, {
        set(listener) {
          socket[event] = listener;
        },
      });
    }
    return given;
  });
  const client = new Client({
    app: pageApp,
    renewable: false,
    dial: (_address, hooks, onHeard) => pool.dial(hooks, onHeard),
    ticketProvider: () => Promise.resolve({ ticket, pipe: '' }),
  });
  await client.open();
  await developer.close();
  return pipe.asBenchClient(client);
};
