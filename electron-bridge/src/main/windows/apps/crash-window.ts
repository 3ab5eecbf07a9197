import type { BrowserWindow, Rectangle } from 'electron';
import type { CrashPage } from '../../../generated/protocol';
import { Emitter } from '../../../common/emitter';
import { CrashChannel } from '../../../ipc/crash-channels';
import { OwnIpc } from '../own/own-ipc';
import { openOwnPage, type OwnPage } from '../own/own-page';

interface CrashEvents {
  /** It is in view, or never will be. */
  shown: undefined;
  restart: undefined;
  closed: undefined;
}

/** The page in the place of a window whose process died. */
export class CrashWindow extends Emitter<CrashEvents> {
  readonly page: OwnPage;
  private isReady = false;

  constructor(
    private shown: CrashPage,
    bounds: Rectangle,
  ) {
    super();
    this.page = openOwnPage('crash', { ...bounds, title: shown.name });
    this.page.loaded.catch(() => this.emit('shown', undefined));
    this.browserWindow.once('closed', () => {
      this.emit('shown', undefined);
      this.emit('closed', undefined);
    });
    crashPages.add(this);
  }

  get browserWindow(): BrowserWindow {
    return this.page.window;
  }

  get descriptor(): CrashPage {
    return this.shown;
  }

  draw(page: CrashPage): void {
    this.shown = page;
    this.send(CrashChannel.draw, page);
  }

  /** Says that a restart has not helped. */
  failed(message: string): void {
    this.send(CrashChannel.failed, message);
  }

  ready(): void {
    this.isReady = true;
    this.draw(this.shown);
    this.browserWindow.showInactive();
    this.emit('shown', undefined);
  }

  restart(): void {
    this.emit('restart', undefined);
  }

  close(): void {
    if (!this.browserWindow.isDestroyed()) this.browserWindow.destroy();
  }

  private send(channel: string, value: unknown): void {
    if (this.isReady && !this.browserWindow.isDestroyed()) {
      this.browserWindow.webContents.send(channel, value);
    }
  }
}

const crashPages = new OwnIpc<CrashWindow>({
  [CrashChannel.ready]: (window) => window.ready(),
  [CrashChannel.restart]: (window) => window.restart(),
  [CrashChannel.close]: (window) => window.close(),
});
