// The preload script of the control centre: its transport, with nothing of the bus in it.
import { contextBridge, ipcRenderer } from 'electron';
import type { Transport } from '../control/backend/transport';
import { ControlChannel, type Answer } from '../ipc/control-channels';

const transport: Transport = {
  call: (method, params) =>
    ipcRenderer.invoke(ControlChannel.call, { method, params }) as Promise<Answer>,
  onShow: (listener) => {
    ipcRenderer.on(ControlChannel.show, (_event, page: string) => listener(page));
  },
  onConnected: (listener) => {
    ipcRenderer.on(ControlChannel.connected, (_event, connected: boolean) => listener(connected));
  },
  ready: () => ipcRenderer.send(ControlChannel.ready),
  close: () => ipcRenderer.send(ControlChannel.close),
};

contextBridge.exposeInMainWorld('controlCentre', transport);
