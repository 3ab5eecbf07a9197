import { ipcMain, type IpcMainEvent, type IpcMainInvokeEvent } from 'electron';
import type { OwnPage } from './own-page';

type Heard<Target> = (target: Target, ...said: unknown[]) => unknown;

interface Talker {
  readonly page: OwnPage;
}

/** The one entrance from the bridge's own pages of one kind; a frame in a page is not heard. */
export class OwnIpc<Target extends Talker> {
  private readonly open = new Map<number, Target>();
  private listening = false;

  constructor(
    private readonly sent: Record<string, Heard<Target>>,
    private readonly invoked: Record<string, Heard<Target>> = {},
  ) {}

  /** Hears the page until its contents are destroyed. */
  add(target: Target): void {
    this.listen();
    const { webContents } = target.page.window;
    const { id } = webContents;
    this.open.set(id, target);
    webContents.once('destroyed', () => this.open.delete(id));
  }

  private listen(): void {
    if (this.listening) return;
    this.listening = true;
    for (const [channel, heard] of Object.entries(this.sent)) {
      ipcMain.on(channel, (event, ...said: unknown[]) => {
        const target = this.from(event);
        if (target) heard(target, ...said);
      });
    }
    for (const [channel, heard] of Object.entries(this.invoked)) {
      ipcMain.handle(channel, (event, ...said: unknown[]) => {
        const target = this.from(event);
        return target && heard(target, ...said);
      });
    }
  }

  private from(event: IpcMainEvent | IpcMainInvokeEvent): Target | undefined {
    const target = this.open.get(event.sender.id);
    return target?.page.frame.sent(event) ? target : undefined;
  }
}
