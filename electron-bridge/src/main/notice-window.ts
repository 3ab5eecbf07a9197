import { join } from 'path';
import { pathToFileURL } from 'url';
import {
  BrowserWindow,
  ipcMain,
  screen,
  type IpcMainEvent,
  type IpcMainInvokeEvent,
} from 'electron';
import type { Notice } from '../generated/protocol';
import { asDeskbusError } from '../node/error';
import { lockContents, lockedPreferences, WINDOW_LOOK } from './lockdown';
import { NoticeChannel } from './notice-channels';
import { TopFrame } from './top-frame';

const PAGE = join(__dirname, '..', 'renderer', 'notice.html');
const PRELOAD = join(__dirname, '..', 'preload', 'notice.js');
const WIDTH = 380;
const FIRST_HEIGHT = 180;
const MIN_HEIGHT = 80;
const MAX_HEIGHT = 600;
/** From the edges of the screen, and from the notice below. */
const MARGIN = 16;
const MAX_PASSWORD_CHARACTERS = 1024;

export interface NoticeEvents {
  /** Its page has told its height. */
  drawn(notice: NoticeWindow): void;
  shown(notice: NoticeWindow): void;
  dismissed(notice: NoticeWindow): void;
  /** Does what the notice offers; rejects with `DeskbusError`. */
  accept(notice: NoticeWindow, password: string | undefined): Promise<void>;
}

/** One notice, in a corner of the screen; it takes the focus from nobody. */
export class NoticeWindow {
  readonly browserWindow: BrowserWindow;
  /** What its page needs; zero until that is known. */
  height = 0;
  readonly windowId: number;
  private readonly frame: TopFrame;
  private readonly contentsId: number;
  private over = false;

  constructor(
    readonly descriptor: Notice,
    private readonly events: NoticeEvents,
  ) {
    this.browserWindow = createWindow(descriptor.title);
    this.windowId = this.browserWindow.id;
    const { webContents } = this.browserWindow;
    this.frame = new TopFrame(webContents);
    this.contentsId = webContents.id;
    lockContents(webContents, pathToFileURL(PAGE).href);
    const dismiss = (): void => this.dismiss();
    this.browserWindow.once('closed', dismiss);
    webContents.on('render-process-gone', dismiss);
    webContents.on('crashed' as 'render-process-gone', dismiss);
    notices.add(this.contentsId, this);
    this.browserWindow.loadFile(PAGE).catch(dismiss);
  }

  /** Whether the notice's own page says it, and not a frame in it. */
  hears(event: IpcMainEvent | IpcMainInvokeEvent): boolean {
    return this.frame.sent(event);
  }

  drawn(height: number): void {
    this.height = Math.round(Math.min(MAX_HEIGHT, Math.max(MIN_HEIGHT, height)));
    this.events.drawn(this);
  }

  /** Shows it, that many pixels above the corner. Answers with what is above itself then. */
  place(above: number): number {
    if (this.over || this.height === 0) return above;
    const { x, y, width, height } = screen.getPrimaryDisplay().workArea;
    this.browserWindow.setBounds({
      x: x + width - WIDTH - MARGIN,
      y: y + height - this.height - MARGIN - above,
      width: WIDTH,
      height: this.height,
    });
    if (!this.browserWindow.isVisible()) {
      this.browserWindow.showInactive();
      this.events.shown(this);
    }
    return above + this.height + MARGIN;
  }

  dismiss(): void {
    if (!this.over) this.events.dismissed(this);
  }

  /** What went wrong, in words; nothing where it was done. */
  async take(password: string | undefined): Promise<string | undefined> {
    if (this.descriptor.offer === undefined) return undefined;
    try {
      await this.events.accept(this, this.descriptor.asksPassword === true ? password : undefined);
    } catch (error) {
      return asDeskbusError(error).message;
    }
    return undefined;
  }

  /** Takes it out of view. It hears nothing any more. */
  hide(): void {
    this.over = true;
    notices.remove(this.contentsId);
    if (!this.browserWindow.isDestroyed()) this.browserWindow.hide();
  }

  destroy(): void {
    this.hide();
    if (!this.browserWindow.isDestroyed()) this.browserWindow.destroy();
  }
}

/** The one entrance from the pages of notices. */
class NoticeIpc {
  private readonly open = new Map<number, NoticeWindow>();
  private listening = false;

  add(contentsId: number, notice: NoticeWindow): void {
    this.listen();
    this.open.set(contentsId, notice);
  }

  remove(contentsId: number): void {
    this.open.delete(contentsId);
  }

  private listen(): void {
    if (this.listening) return;
    this.listening = true;
    ipcMain.handle(NoticeChannel.descriptor, (event) => this.from(event)?.descriptor);
    ipcMain.on(NoticeChannel.drawn, (event, height: unknown) => {
      if (typeof height === 'number' && Number.isFinite(height)) this.from(event)?.drawn(height);
    });
    ipcMain.on(NoticeChannel.dismiss, (event) => this.from(event)?.dismiss());
    ipcMain.handle(NoticeChannel.accept, (event, password: unknown) =>
      this.from(event)?.take(isPassword(password) ? password : undefined),
    );
  }

  private from(event: IpcMainEvent | IpcMainInvokeEvent): NoticeWindow | undefined {
    const notice = this.open.get(event.sender.id);
    return notice?.hears(event) ? notice : undefined;
  }
}

const notices = new NoticeIpc();

function isPassword(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_PASSWORD_CHARACTERS;
}

function createWindow(title: string): BrowserWindow {
  const window = new BrowserWindow({
    ...WINDOW_LOOK,
    title,
    width: WIDTH,
    height: FIRST_HEIGHT,
    useContentSize: true,
    frame: false,
    resizable: false,
    minimizable: false,
    maximizable: false,
    fullscreenable: false,
    skipTaskbar: true,
    alwaysOnTop: true,
    webPreferences: lockedPreferences(PRELOAD, 'deskbus-notice'),
  });
  window.removeMenu();
  window.on('page-title-updated', (event) => event.preventDefault());
  return window;
}
