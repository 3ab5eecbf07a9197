// The preload script of consent dialogs: their own bridge, with nothing of the bus in it.
import { contextBridge, ipcRenderer } from 'electron';
import type { PermissionDialog } from '../generated/protocol';
import {
  DialogChannel,
  type Choice,
  type ConsentBridge,
  type Remember,
} from '../ipc/dialog-channels';

const inView = new Promise<void>((resolve) => {
  ipcRenderer.once(DialogChannel.inView, () => resolve());
});

const bridge: ConsentBridge = {
  descriptor: () => ipcRenderer.invoke(DialogChannel.descriptor) as Promise<PermissionDialog>,
  drawn: (height: number) => {
    ipcRenderer.send(DialogChannel.drawn, height);
    return inView;
  },
  painted: () => ipcRenderer.invoke(DialogChannel.painted) as Promise<void>,
  answer: (choice: Choice, remember: Remember) => {
    ipcRenderer.send(DialogChannel.answer, choice, remember);
  },
  onChanged: (listener: () => void) => {
    ipcRenderer.on(DialogChannel.changed, () => listener());
  },
};

contextBridge.exposeInMainWorld('consent', bridge);
