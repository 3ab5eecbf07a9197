// The preload script of crash pages: their own bridge, with nothing of the bus in it.
import { contextBridge, ipcRenderer } from 'electron';
import type { CrashPage } from '../generated/protocol';
import { CrashChannel, type CrashBridge } from '../ipc/crash-channels';

const bridge: CrashBridge = {
  onDraw: (listener) => {
    ipcRenderer.on(CrashChannel.draw, (_event, page: CrashPage) => listener(page));
  },
  onFailed: (listener) => {
    ipcRenderer.on(CrashChannel.failed, (_event, message: string) => listener(message));
  },
  ready: () => ipcRenderer.send(CrashChannel.ready),
  restart: () => ipcRenderer.send(CrashChannel.restart),
  close: () => ipcRenderer.send(CrashChannel.close),
};

contextBridge.exposeInMainWorld('crash', bridge);
