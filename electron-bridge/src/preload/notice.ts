// The preload script of notices: their own bridge, with nothing of the bus in it.
import { contextBridge, ipcRenderer } from 'electron';
import type { Notice } from '../generated/protocol';
import { NoticeChannel, type NoticeBridge } from '../ipc/notice-channels';

const bridge: NoticeBridge = {
  descriptor: () => ipcRenderer.invoke(NoticeChannel.descriptor) as Promise<Notice>,
  drawn: (height: number) => ipcRenderer.send(NoticeChannel.drawn, height),
  dismiss: () => ipcRenderer.send(NoticeChannel.dismiss),
  accept: (password: string | undefined) =>
    ipcRenderer.invoke(NoticeChannel.accept, password) as Promise<string | undefined>,
};

contextBridge.exposeInMainWorld('notice', bridge);
