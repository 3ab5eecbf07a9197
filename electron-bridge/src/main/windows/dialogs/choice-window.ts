import type { BrowserWindow } from 'electron';
import type { ChoiceAnswer, ChoiceDialog } from '../../../generated/protocol';
import { ChoiceChannel } from '../../../ipc/choice-channels';
import { OwnIpc } from '../own/own-ipc';
import { DIALOG_LOOK, onPageLost, openOwnPage, type OwnPage } from '../own/own-page';

const WIDTH = 440;
const FIRST_HEIGHT = 360;
const MIN_HEIGHT = 200;
const MAX_HEIGHT = 640;

/** One dialog in which a person chooses. It answers once, in any event. */
export class ChoiceWindow {
  readonly page: OwnPage;
  readonly answer: Promise<ChoiceAnswer>;
  private settle: (outcome: Omit<ChoiceAnswer, 'dialog' | 'nonce'>) => void = () => undefined;

  constructor(
    readonly descriptor: ChoiceDialog,
    parent: BrowserWindow | undefined,
  ) {
    const { title, timeout, dialog, nonce } = descriptor;
    this.page = openOwnPage('choice', {
      ...(parent ? { parent } : {}),
      title,
      width: WIDTH,
      height: FIRST_HEIGHT,
      ...DIALOG_LOOK,
    });
    this.answer = new Promise((resolve) => {
      const limit = setTimeout(() => this.settle({ timedOut: true }), timeout);
      this.settle = (outcome) => {
        this.settle = () => undefined;
        clearTimeout(limit);
        if (!this.browserWindow.isDestroyed()) this.browserWindow.destroy();
        resolve({ dialog, nonce, ...outcome });
      };
    });
    const none = (): void => this.dismiss();
    this.browserWindow.once('closed', none);
    onPageLost(this.page, none);
    dialogs.add(this);
  }

  get browserWindow(): BrowserWindow {
    return this.page.window;
  }

  dismiss(): void {
    this.settle({});
  }

  drawn(height: number): void {
    const fitted = Math.round(Math.min(MAX_HEIGHT, Math.max(MIN_HEIGHT, height)));
    this.browserWindow.setContentSize(WIDTH, fitted);
    this.browserWindow.center();
    this.browserWindow.show();
    this.browserWindow.focus();
  }

  choose(given: unknown): void {
    const { id, remember } = (given ?? {}) as { id?: unknown; remember?: unknown };
    const chosen = this.descriptor.choices.find((choice) => choice.id === id);
    this.settle(chosen ? { choice: chosen.id, ...(remember === true ? { remember } : {}) } : {});
  }
}

const dialogs = new OwnIpc<ChoiceWindow>(
  {
    [ChoiceChannel.drawn]: (dialog, height) => {
      if (typeof height === 'number' && Number.isFinite(height)) dialog.drawn(height);
    },
    [ChoiceChannel.choose]: (dialog, given) => dialog.choose(given),
  },
  { [ChoiceChannel.descriptor]: (dialog) => dialog.descriptor },
);
