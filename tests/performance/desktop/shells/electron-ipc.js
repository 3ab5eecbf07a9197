// Plain Electron IPC: main passes messages on to the windows that asked for their topic.
'use strict';
const { ipcMain } = require('electron');
const { openWindow, startFeed } = require('./plain.js');

const subscribers = new Map();
const responders = new Map();
const waiting = new Map();
let last = 0;

function publish(topic, payload) {
  for (const contents of subscribers.get(topic) || []) contents.send('message', topic, payload);
}

ipcMain.handle('subscribe', ({ sender }, topic) => {
  subscribers.set(topic, (subscribers.get(topic) || new Set()).add(sender));
});
ipcMain.on('publish', (_event, topic, payload) => publish(topic, payload));
ipcMain.handle('respond', ({ sender }, topic) => void responders.set(topic, sender));
ipcMain.handle('request', (_event, topic, payload) => {
  const id = ++last;
  responders.get(topic).send('request', id, topic, payload);
  return new Promise((resolve) => waiting.set(id, resolve));
});
ipcMain.on('answer', (_event, id, payload) => {
  waiting.get(id)(payload);
  waiting.delete(id);
});

exports.open = async (url, firstMessage) => {
  const receiver = await openWindow(url('receiver'), 'electron-ipc-preload.js');
  const first = firstMessage(receiver);
  const sender = await openWindow(url('sender'), 'electron-ipc-preload.js');
  const feed = startFeed((payload) => publish('bench.feed', payload));
  return { receiver, sender, first, feed };
};
