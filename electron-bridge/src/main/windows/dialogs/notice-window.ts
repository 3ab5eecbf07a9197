import { screen, type BrowserWindow } from 'electron';
import { MAX_PASSWORD_CHARACTERS } from '../../../generated/constants';
import type { Notice } from '../../../generated/protocol';
import { asDeskbusError } from '../../../common/error';
import { NoticeChannel } from '../../../ipc/notice-channels';
import { OwnIpc } from '../own/own-ipc';
import { onPageLost, openOwnPage, type OwnPage } from '../own/own-page';

const WIDTH = 380;
const FIRST_HEIGHT = 180;
const MIN_HEIGHT = 80;
const MAX_HEIGHT = 600;
/** From the edges of the screen, and from the notice below. */
const MARGIN = 16;

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
  readonly page: OwnPage;
  /** Pixels that its page needs; zero until that is known. */
  height = 0;
  readonly windowId: number;
  private over = false;

  constructor(
    readonly descriptor: Notice,
    private readonly events: NoticeEvents,
  ) {
    this.page = openNotice(descriptor.title);
    this.windowId = this.browserWindow.id;
    const dismiss = (): void => this.dismiss();
    this.browserWindow.once('closed', dismiss);
    onPageLost(this.page, dismiss);
    notices.add(this);
  }

  get browserWindow(): BrowserWindow {
    return this.page.window;
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

  /** The failure in words; nothing where it was done. */
  async take(password: string | undefined): Promise<string | undefined> {
    if (this.over || this.descriptor.offer === undefined) return undefined;
    try {
      await this.events.accept(this, this.descriptor.asksPassword === true ? password : undefined);
    } catch (error) {
      return asDeskbusError(error).message;
    }
    return undefined;
  }

  /** Takes it out of view, with all that was typed. It hears nothing any more. */
  hide(): void {
    this.over = true;
    if (this.browserWindow.isDestroyed()) return;
    this.browserWindow.hide();
    this.browserWindow.loadURL('about:blank').catch(() => undefined);
  }

  destroy(): void {
    this.over = true;
    if (!this.browserWindow.isDestroyed()) this.browserWindow.destroy();
  }
}

const notices = new OwnIpc<NoticeWindow>(
  {
    [NoticeChannel.drawn]: (notice, height) => {
      if (typeof height === 'number' && Number.isFinite(height)) notice.drawn(height);
    },
    [NoticeChannel.dismiss]: (notice) => notice.dismiss(),
  },
  {
    [NoticeChannel.descriptor]: (notice) => notice.descriptor,
    [NoticeChannel.accept]: (notice, password) =>
      notice.take(isPassword(password) ? password : undefined),
  },
);

function isPassword(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= MAX_PASSWORD_CHARACTERS;
}

function openNotice(title: string): OwnPage {
  return openOwnPage('notice', {
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
  });
}
