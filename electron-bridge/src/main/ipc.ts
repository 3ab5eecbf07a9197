import { ipcMain, type IpcMainEvent, type IpcMainInvokeEvent, type WebContents } from 'electron';
import { Channel, OPERATIONS, type Operation, type Reply } from '../ipc/operations';
import { TopFrame } from './windows/top-frame';

/** One window's end of the IPC. `page` is the token of the page that speaks. */
export interface Endpoint {
  begin(page: string): void;
  call(page: string, operation: Operation, params: object, number?: number): Promise<Reply>;
  cancel(page: string, number: number): void;
  post(page: string, publishes: object[]): void;
  acknowledge(page: string, messages: object[]): void;
  taken(page: string, characters: number): void;
}

type Event = IpcMainEvent | IpcMainInvokeEvent;

/**
 * The one entrance from pages. A message counts only if it comes from the top frame of a window
 * that was added here; any other gets no answer at all.
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
    ipcMain.handle(
      Channel.call,
      (event, page: unknown, operation: unknown, params: unknown, number: unknown) => {
        const endpoint = this.endpointOf(event);
        if (!endpoint || !isToken(page) || !isOperation(operation) || !isObject(params)) return;
        return endpoint.call(page, operation, params, isNumber(number) ? number : undefined);
      },
    );
    ipcMain.on(Channel.cancel, (event, page: unknown, number: unknown) => {
      if (isToken(page) && isNumber(number)) this.endpointOf(event)?.cancel(page, number);
    });
    ipcMain.on(Channel.page, (event, page: unknown) => {
      if (isToken(page)) this.endpointOf(event)?.begin(page);
    });
    ipcMain.on(Channel.post, (event, page: unknown, publishes: unknown) => {
      if (!isToken(page) || !Array.isArray(publishes)) return;
      this.endpointOf(event)?.post(page, publishes.filter(isObject));
    });
    ipcMain.on(Channel.acknowledge, (event, page: unknown, messages: unknown) => {
      if (!isToken(page) || !Array.isArray(messages)) return;
      this.endpointOf(event)?.acknowledge(page, messages.filter(isObject));
    });
    ipcMain.on(Channel.taken, (event, page: unknown, characters: unknown) => {
      if (!isToken(page) || typeof characters !== 'number' || !(characters >= 0)) return;
      this.endpointOf(event)?.taken(page, characters);
    });
  }

  private endpointOf(event: Event): Endpoint | undefined {
    const window = this.windows.get(event.sender.id);
    return window?.frame.sent(event) ? window.endpoint : undefined;
  }
}

export const pageIpc = new PageIpc();

function isToken(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= 64;
}

function isOperation(value: unknown): value is Operation {
  return typeof value === 'string' && Object.prototype.hasOwnProperty.call(OPERATIONS, value);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}
