import { ipcMain, type IpcMainEvent, type WebContents } from 'electron';
import { Channel } from '../ipc/page-lines';
import type { Endpoint } from '../relay/relay';
import { TopFrame } from './windows/own/top-frame';

/**
 * The one entrance from pages. A line counts only if it comes from the top frame of a window that was
 * added here; another frame is told that it is a stranger, any other window gets no answer at all.
 */
class PageIpc {
  private readonly windows = new Map<number, { frame: TopFrame; endpoint: Endpoint }>();
  private listening = false;

  /** Lets the window's page speak, until its contents are destroyed. */
  add(contents: WebContents, endpoint: Endpoint): void {
    this.listen();
    const { id } = contents;
    this.windows.set(id, { frame: new TopFrame(contents), endpoint });
    contents.once('destroyed', () => this.windows.delete(id));
  }

  private listen(): void {
    if (this.listening) return;
    this.listening = true;
    ipcMain.on(Channel.page, (event, page: unknown) => {
      if (isToken(page)) this.endpointOf(event)?.begin(page);
    });
    ipcMain.on(Channel.ready, (event, page: unknown) => {
      if (isToken(page)) this.endpointOf(event)?.ready(page);
    });
    ipcMain.on(Channel.lines, (event, page: unknown, text: unknown) => {
      if (!isToken(page) || typeof text !== 'string') return;
      const endpoint = this.endpointOf(event);
      if (endpoint) endpoint.lines(page, text);
      else if (this.windows.has(event.sender.id)) event.reply(Channel.lines, 'stranger null');
    });
    ipcMain.on(Channel.taken, (event, page: unknown, characters: unknown) => {
      if (!isToken(page) || typeof characters !== 'number' || !(characters >= 0)) return;
      this.endpointOf(event)?.taken(page, characters);
    });
  }

  private endpointOf(event: IpcMainEvent): Endpoint | undefined {
    const window = this.windows.get(event.sender.id);
    return window?.frame.sent(event) ? window.endpoint : undefined;
  }
}

export const pageIpc = new PageIpc();

function isToken(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 64;
}
