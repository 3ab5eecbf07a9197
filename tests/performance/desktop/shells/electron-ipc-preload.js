'use strict';
const { contextBridge, ipcRenderer } = require('electron');

contextBridge.exposeInMainWorld('plainIpc', {
  publish: (topic, payload) => ipcRenderer.send('publish', topic, payload),
  subscribe: (topic) => ipcRenderer.invoke('subscribe', topic),
  onMessage: (listener) => {
    ipcRenderer.on('message', (_event, topic, payload) => listener(topic, payload));
  },
  request: (topic, payload) => ipcRenderer.invoke('request', topic, payload),
  respond: (topic, handler) => {
    ipcRenderer.on('request', (_event, id, asked, payload) => {
      if (asked === topic) ipcRenderer.send('answer', id, handler(payload));
    });
    return ipcRenderer.invoke('respond', topic);
  },
});
