import type { BrowserWindow, BrowserWindowConstructorOptions } from 'electron';
import { Emitter } from '../../../common/emitter';
import { DeskbusError } from '../../../common/error';
import { onPageLost, openOwnPage, type OwnPage } from './own-page';

export interface OwnWindowEvents {
  /** Its page listens. */
  ready: undefined;
  closed: undefined;
}

/** A window of the bridge's own that stays until a person closes it. */
export class OwnWindow<Events extends OwnWindowEvents = OwnWindowEvents> extends Emitter<Events> {
  readonly page: OwnPage;
  /** Resolves when it is in view; rejects where its page can't be shown. */
  readonly inView: Promise<void>;
  private isReady = false;

  constructor(name: string, options: BrowserWindowConstructorOptions) {
    super();
    this.page = openOwnPage(name, options);
    onPageLost(this.page, () => this.close());
    this.browserWindow.once('closed', () => this.emit('closed', undefined));
    this.inView = new Promise((resolve, reject) => {
      this.once('ready', () => resolve());
      this.once('closed', () => reject(DeskbusError.of('unavailable', 'The window was closed.')));
    });
    this.inView.catch(() => undefined);
  }

  get browserWindow(): BrowserWindow {
    return this.page.window;
  }

  focus(): void {
    if (this.browserWindow.isMinimized()) this.browserWindow.restore();
    if (this.browserWindow.isVisible()) this.browserWindow.focus();
  }

  close(): void {
    if (!this.browserWindow.isDestroyed()) this.browserWindow.destroy();
  }

  /** Its page listens: it is told all anew, and shown. */
  ready(): void {
    this.isReady = true;
    this.tellAll();
    this.browserWindow.show();
    this.emit('ready', undefined);
  }

  /** Sends whatever the page has to know; what comes before it listens is kept until then. */
  protected tellAll(): void {
    // A subclass knows what there is to tell.
  }

  protected send(channel: string, value: unknown): void {
    if (!this.isReady || this.browserWindow.isDestroyed()) return;
    this.browserWindow.webContents.send(channel, value);
  }
}
