// The preload script of choice dialogs: their own bridge, with nothing of the bus in it.
import { contextBridge, ipcRenderer } from 'electron';
import type { ChoiceDialog } from '../generated/protocol';
import { ChoiceChannel, type ChoiceBridge } from '../ipc/choice-channels';

const bridge: ChoiceBridge = {
  descriptor: () => ipcRenderer.invoke(ChoiceChannel.descriptor) as Promise<ChoiceDialog>,
  drawn: (height: number) => ipcRenderer.send(ChoiceChannel.drawn, height),
  choose: (id: string | null, remember: boolean) =>
    ipcRenderer.send(ChoiceChannel.choose, { id, remember }),
};

contextBridge.exposeInMainWorld('choice', bridge);
