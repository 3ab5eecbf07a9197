import type { IpcMainEvent, IpcMainInvokeEvent, WebContents, WebFrameMain } from 'electron';

type Sender = Pick<IpcMainEvent | IpcMainInvokeEvent, 'frameId' | 'processId'> & {
  /** Not there before Electron 12. */
  senderFrame?: WebFrameMain | null;
};

/** Tells whether an IPC message comes from a window's own top frame, and not from an iframe. */
export class TopFrame {
  /** Before Electron 12 only navigation events tell which frame is the top one. */
  private starting = '';
  private committed = '';

  constructor(private readonly contents: WebContents) {
    contents.on('did-start-navigation', (_event, _url, _inPlace, isMain, processId, frameId) => {
      if (isMain) this.starting = key(processId, frameId);
    });
    contents.on('did-frame-navigate', (_event, _url, _code, _text, isMain, processId, frameId) => {
      if (isMain) this.committed = key(processId, frameId);
    });
  }

  sent(event: Sender): boolean {
    const main = this.contents.mainFrame as WebFrameMain | undefined;
    if (main) {
      const frame = event.senderFrame;
      return frame?.processId === main.processId && frame.routingId === main.routingId;
    }
    const sender = key(event.processId, event.frameId);
    return sender === this.committed || sender === this.starting;
  }
}

function key(processId: number, frameId: number): string {
  return `${processId}/${frameId}`;
}
