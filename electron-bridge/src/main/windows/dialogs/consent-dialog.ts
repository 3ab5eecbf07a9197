import { join } from 'path';
import { pathToFileURL } from 'url';
import { BrowserWindow, ipcMain, type IpcMainEvent, type IpcMainInvokeEvent } from 'electron';
import { ALLOW_DELAY_MS } from '../../../generated/constants';
import type { DialogAnswer, ShowDialogParams } from '../../../generated/protocol';
import { DialogChannel, type Remember } from '../../../ipc/dialog-channels';
import { spoken } from '../../languages';
import { lockContents, lockedPreferences, OWN_LOOK } from '../../policy/lockdown';
import { ownPagePath } from '../own/own-page';
import { TopFrame } from '../own/top-frame';

const PRELOAD = join(__dirname, '..', 'preload', 'dialog.js');
const WIDTH = 460;
const FIRST_HEIGHT = 420;
const MIN_HEIGHT = 200;
const MAX_HEIGHT = 900;
/** Events that move a button under the pointer, or the window in front of a person. */
const CHANGES = ['resize', 'move', 'focus', 'restore', 'show'] as const;

type Choice = DialogAnswer['choice'];

/**
 * One consent dialog, in a window and a session of its own.
 *
 * Whatever happens to it, it answers once: with the person's choice, else with what came instead.
 * Allow is heard only after it was in view, unchanged, for the descriptor's delay.
 */
export class ConsentDialog {
  readonly browserWindow: BrowserWindow;
  readonly answer: Promise<DialogAnswer>;
  private readonly frame: TopFrame;
  private settle: (choice: Choice, remember: Remember) => void = () => undefined;
  private inViewSince: number | undefined;

  constructor(
    readonly params: ShowDialogParams,
    private readonly parent: BrowserWindow | undefined,
    private readonly onShown: (isFirst: boolean) => void,
  ) {
    const { descriptor } = params;
    this.browserWindow = createWindow(descriptor.identity.name, parent);
    const { webContents } = this.browserWindow;
    this.frame = new TopFrame(webContents);
    const page = ownPagePath('dialog');
    lockContents(webContents, pathToFileURL(page).href);
    this.answer = this.settled(descriptor.timeout);
    const fail = (): void => this.settle('failed', 'once');
    this.browserWindow.once('closed', () => this.dismiss());
    webContents.on('render-process-gone', fail);
    webContents.on('crashed' as 'render-process-gone', fail);
    for (const change of CHANGES) {
      this.browserWindow.on(change as 'resize', () => this.changed());
    }
    this.browserWindow.once('show', () => webContents.send(DialogChannel.inView));
    dialogs.add(webContents.id, this);
    this.browserWindow.loadFile(page).catch(fail);
  }

  dismiss(): void {
    this.settle('dismissed', 'once');
  }

  /** Whether the dialog's own page says it, and not a frame in it. */
  hears(event: IpcMainEvent | IpcMainInvokeEvent): boolean {
    return this.frame.sent(event);
  }

  drawn(height: number): void {
    if (this.browserWindow.isVisible()) return;
    const fitted = Math.round(Math.min(MAX_HEIGHT, Math.max(MIN_HEIGHT, height)));
    this.browserWindow.setContentSize(WIDTH, fitted);
    this.place();
    this.browserWindow.show();
    this.browserWindow.focus();
  }

  painted(): void {
    if (this.inViewSince !== undefined || !this.browserWindow.isVisible()) return;
    this.inViewSince = process.uptime();
    this.onShown(true);
  }

  private choose(choice: 'allow' | 'deny', remember: Remember): void {
    if (choice === 'deny' || this.allowCounts()) this.settle(choice, remember);
  }

  /** The choice must be one that the dialog offers. */
  answered(choice: 'allow' | 'deny', remember: unknown): void {
    const offered = this.params.descriptor.choices.find(({ id }) => id === remember);
    if (offered) this.choose(choice, offered.id);
  }

  /** The time before Allow counts begins anew, here, in the page and in the backend. */
  private changed(): void {
    if (this.inViewSince === undefined || this.browserWindow.isDestroyed()) return;
    this.inViewSince = process.uptime();
    this.browserWindow.webContents.send(DialogChannel.changed);
    this.onShown(false);
  }

  private allowCounts(): boolean {
    const delay = this.params.descriptor.allowDelay ?? ALLOW_DELAY_MS;
    return this.inViewSince !== undefined && elapsedMs(this.inViewSince) >= delay;
  }

  private settled(timeout: number): Promise<DialogAnswer> {
    const { descriptor, descriptorHash } = this.params;
    const { dialog, nonce } = descriptor;
    const { id } = this.browserWindow.webContents;
    return new Promise((resolve) => {
      const limit = setTimeout(() => this.settle('timeout', 'once'), timeout);
      this.settle = (choice, remember) => {
        this.settle = () => undefined;
        clearTimeout(limit);
        dialogs.remove(id);
        if (!this.browserWindow.isDestroyed()) this.browserWindow.destroy();
        resolve({ dialog, nonce, descriptorHash, choice, remember });
      };
    });
  }

  /** Over the middle of the app's window, where it has one. */
  private place(): void {
    const { parent } = this;
    if (!parent || parent.isDestroyed()) {
      this.browserWindow.center();
      return;
    }
    const around = parent.getBounds();
    const { width, height } = this.browserWindow.getBounds();
    const x = Math.round(around.x + (around.width - width) / 2);
    const y = Math.round(around.y + (around.height - height) / 2);
    this.browserWindow.setPosition(Math.max(0, x), Math.max(0, y));
  }
}

/** The open dialogs, and the one entrance from their pages. */
class DialogIpc {
  private readonly open = new Map<number, ConsentDialog>();
  private listening = false;

  add(contentsId: number, dialog: ConsentDialog): void {
    this.listen();
    this.open.set(contentsId, dialog);
  }

  remove(contentsId: number): void {
    this.open.delete(contentsId);
  }

  private listen(): void {
    if (this.listening) return;
    this.listening = true;
    ipcMain.handle(DialogChannel.descriptor, (event) => this.from(event)?.params.descriptor);
    ipcMain.on(DialogChannel.drawn, (event, height: unknown) => {
      if (typeof height === 'number' && Number.isFinite(height)) this.from(event)?.drawn(height);
    });
    ipcMain.handle(DialogChannel.painted, (event) => this.from(event)?.painted());
    ipcMain.on(DialogChannel.answer, (event, choice: unknown, remember: unknown) => {
      if (choice !== 'allow' && choice !== 'deny') return;
      this.from(event)?.answered(choice, remember);
    });
  }

  private from(event: IpcMainEvent | IpcMainInvokeEvent): ConsentDialog | undefined {
    const dialog = this.open.get(event.sender.id);
    return dialog?.hears(event) ? dialog : undefined;
  }
}

const dialogs = new DialogIpc();

function createWindow(appName: string, parent: BrowserWindow | undefined): BrowserWindow {
  const window = new BrowserWindow({
    ...OWN_LOOK,
    ...(parent ? { parent } : {}),
    title: spoken().text('main.consent.title', { app: appName }),
    width: WIDTH,
    height: FIRST_HEIGHT,
    useContentSize: true,
    resizable: false,
    minimizable: false,
    maximizable: false,
    fullscreenable: false,
    alwaysOnTop: true,
    webPreferences: lockedPreferences(PRELOAD, 'deskbus-consent'),
  });
  window.removeMenu();
  window.on('page-title-updated', (event) => event.preventDefault());
  return window;
}

function elapsedMs(since: number): number {
  return (process.uptime() - since) * 1000;
}
