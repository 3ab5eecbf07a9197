// The preload script of panels: their own bridge, with nothing of the bus in it.
import { contextBridge, ipcRenderer } from 'electron';
import type { PanelDescriptor, PanelQuery } from '../generated/protocol';
import { PanelChannel, type Deed, type Outcome, type PanelBridge } from '../ipc/panel-channels';

const bridge: PanelBridge = {
  onDraw: (listener) => {
    ipcRenderer.on(PanelChannel.draw, (_event, descriptor: PanelDescriptor) =>
      listener(descriptor),
    );
  },
  onConnected: (listener) => {
    ipcRenderer.on(PanelChannel.connected, (_event, connected: boolean) => listener(connected));
  },
  ready: () => ipcRenderer.send(PanelChannel.ready),
  query: (query: PanelQuery) => ipcRenderer.send(PanelChannel.query, query),
  act: (deed: Deed) => ipcRenderer.invoke(PanelChannel.action, deed) as Promise<Outcome>,
  close: () => ipcRenderer.send(PanelChannel.close),
};

contextBridge.exposeInMainWorld('panel', bridge);
