import { app, BrowserWindow } from 'electron';
import type { Notice } from '../../../generated/protocol';
import { NoticeWindow, type NoticeEvents } from './notice-window';

type Closing = Pick<BrowserWindow, 'once'>;

/**
 * The notices that are open, one of a name. One that a person has dismissed does not come again
 * before the shell is restarted.
 *
 * A notice decides nothing about the app's life: it does not keep the app running when all other
 * windows are closed, and the app does not end because a notice was its last window.
 */
export class Notices {
  private readonly open = new Map<string, NoticeWindow>();
  private readonly dismissed = new Set<string>();
  /** Out of view, for there was no other window when they were to be closed. */
  private hidden: NoticeWindow[] = [];
  private watching = false;
  private readonly events: NoticeEvents;

  constructor(
    accept: (notice: Notice, password: string | undefined) => Promise<void>,
    shown: (notice: NoticeWindow) => void,
  ) {
    this.events = {
      drawn: () => this.arrange(),
      shown,
      dismissed: ({ descriptor }) => {
        this.dismissed.add(descriptor.notice);
        this.close(descriptor.notice);
      },
      accept: ({ descriptor }, password) => accept(descriptor, password),
    };
  }

  show(descriptor: Notice): void {
    const { notice: name } = descriptor;
    if (this.dismissed.has(name)) return;
    this.watch();
    this.close(name);
    this.open.set(name, new NoticeWindow(descriptor, this.events));
  }

  /** Takes a notice away that may come again. */
  close(name: string): void {
    const notice = this.open.get(name);
    if (!notice) return;
    const isLast = this.others().length === 0;
    this.open.delete(name);
    if (isLast) {
      notice.hide();
      this.hidden.push(notice);
    } else {
      notice.destroy();
    }
    this.arrange();
  }

  closeAll(): void {
    const all = [...this.open.values(), ...this.hidden];
    this.open.clear();
    this.hidden = [];
    for (const notice of all) notice.destroy();
  }

  /** The oldest lies in the corner. */
  private arrange(): void {
    let above = 0;
    for (const notice of this.open.values()) above = notice.place(above);
  }

  private watch(): void {
    if (this.watching) return;
    this.watching = true;
    const follow = (window: Closing): void => {
      window.once('closed', () => {
        if (this.others().length === 0) this.closeAll();
      });
    };
    this.others().forEach(follow);
    app.on('browser-window-created', (_event, window) => {
      // A notice is among ours only when its constructor has returned.
      setImmediate(() => {
        if (!window.isDestroyed() && !this.isMine(window.id)) follow(window);
      });
    });
  }

  private others(): Closing[] {
    return BrowserWindow.getAllWindows().filter(({ id }) => !this.isMine(id));
  }

  private isMine(windowId: number): boolean {
    const all = [...this.open.values(), ...this.hidden];
    return all.some((notice) => notice.windowId === windowId);
  }
}
