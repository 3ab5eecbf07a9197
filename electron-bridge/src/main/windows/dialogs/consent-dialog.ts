import type { BrowserWindow } from 'electron';
import { ALLOW_DELAY_MS } from '../../../generated/constants';
import type { DialogAnswer, ShowDialogParams } from '../../../generated/protocol';
import { DialogChannel, type Remember } from '../../../ipc/dialog-channels';
import { spoken } from '../../languages';
import { OwnIpc } from '../own/own-ipc';
import { DIALOG_LOOK, onPageLost, openOwnPage, type OwnPage } from '../own/own-page';

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
  readonly page: OwnPage;
  readonly answer: Promise<DialogAnswer>;
  private settle: (choice: Choice, remember: Remember) => void = () => undefined;
  private inViewSince: number | undefined;

  constructor(
    readonly params: ShowDialogParams,
    private readonly parent: BrowserWindow | undefined,
    private readonly onShown: (isFirst: boolean) => void,
  ) {
    const { descriptor } = params;
    const { name } = descriptor.identity;
    this.page = openOwnPage('dialog', {
      ...(parent ? { parent } : {}),
      title: spoken().text('main.consent.title', { app: name }),
      width: WIDTH,
      height: FIRST_HEIGHT,
      ...DIALOG_LOOK,
    });
    this.answer = this.settled(descriptor.timeout);
    const { webContents } = this.browserWindow;
    this.browserWindow.once('closed', () => this.dismiss());
    onPageLost(this.page, () => this.settle('failed', 'once'));
    for (const change of CHANGES) {
      this.browserWindow.on(change as 'resize', () => this.changed());
    }
    this.browserWindow.once('show', () => webContents.send(DialogChannel.inView));
    dialogs.add(this);
  }

  get browserWindow(): BrowserWindow {
    return this.page.window;
  }

  dismiss(): void {
    this.settle('dismissed', 'once');
  }

  drawn(height: unknown): void {
    if (typeof height !== 'number' || !Number.isFinite(height)) return;
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

  /** The choice must be one that the dialog offers. */
  answered(choice: unknown, remember: unknown): void {
    const offered = this.params.descriptor.choices.find(({ id }) => id === remember);
    if (!offered) return;
    if (choice === 'deny' || (choice === 'allow' && this.allowCounts())) {
      this.settle(choice, offered.id);
    }
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
    return new Promise((resolve) => {
      const limit = setTimeout(() => this.settle('timeout', 'once'), timeout);
      this.settle = (choice, remember) => {
        this.settle = () => undefined;
        clearTimeout(limit);
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

const dialogs = new OwnIpc<ConsentDialog>(
  {
    [DialogChannel.drawn]: (dialog, height) => dialog.drawn(height),
    [DialogChannel.answer]: (dialog, choice, remember) => dialog.answered(choice, remember),
  },
  {
    [DialogChannel.descriptor]: (dialog) => dialog.params.descriptor,
    [DialogChannel.painted]: (dialog) => dialog.painted(),
  },
);

function elapsedMs(since: number): number {
  return (process.uptime() - since) * 1000;
}
