import type { BrowserWindow } from 'electron';
import { CONTROL_METHODS } from '../../../generated/protocol';
import { Emitter } from '../../../common/emitter';
import { asDeskbusError, DeskbusError } from '../../../common/error';
import type { BackendMethod } from '../../../node/link/link';
import type { Backend } from '../../backend/backend';
import { readOpenCentre } from '../../descriptors';
import { ControlChannel, type Answer, type Question } from '../../../ipc/control-channels';
import { spoken } from '../../languages';
import { OwnIpc } from '../own/own-ipc';
import { OwnWindow } from '../own/own-window';

const SIZE = { width: 1360, height: 860, minWidth: 420, minHeight: 420 };

/** Verifying a long audit log, or rotating the vault, takes as long as it takes. */
const CALL_LIMIT_MS = 150_000;

const CALLABLE = new Set<string>(CONTROL_METHODS);

interface ControlCentreEvents {
  opened: BrowserWindow;
  closed: undefined;
}

/** The control centre: one window at most, which outlives a restart of the backend. */
export class ControlCentre extends Emitter<ControlCentreEvents> {
  private window: ControlWindow | undefined;
  private isConnected = true;

  constructor(private readonly backend: Backend) {
    super();
    backend.handle('ui.openControlCentre', async (params) => {
      await this.open(readOpenCentre(params));
      return {};
    });
    backend.on('down', () => this.setConnected(false));
    backend.on('up', () => this.setConnected(true));
  }

  /** Opens the window at `page`, or brings it to the front; rejects with `DeskbusError`. */
  async open(page: string): Promise<BrowserWindow> {
    if (!this.window) {
      const window = new ControlWindow(this.backend);
      this.window = window;
      window.connected(this.isConnected);
      window.on('closed', () => {
        this.window = undefined;
        this.emit('closed', undefined);
      });
      window.show(page);
      await window.inView;
      this.emit('opened', window.browserWindow);
      return window.browserWindow;
    }
    const { window } = this;
    window.show(page);
    await window.inView;
    window.focus();
    return window.browserWindow;
  }

  close(): void {
    this.window?.close();
  }

  private setConnected(connected: boolean): void {
    this.isConnected = connected;
    this.window?.connected(connected);
  }
}

class ControlWindow extends OwnWindow {
  private isConnected = true;
  private wanted = 'overview';

  constructor(private readonly backend: Backend) {
    super('control', { ...SIZE, title: spoken().text('page.control.title') });
    controlPages.add(this);
  }

  /** Goes to a page, and to what it looks at behind a slash. */
  show(page: string): void {
    this.wanted = page;
    this.send(ControlChannel.show, page);
  }

  connected(connected: boolean): void {
    this.isConnected = connected;
    this.send(ControlChannel.connected, connected);
  }

  async answer(question: unknown): Promise<Answer> {
    try {
      const { method, params } = (question ?? {}) as Partial<Question>;
      if (method === undefined || !CALLABLE.has(method)) {
        throw DeskbusError.of('permission_denied', 'The control centre may not call this.');
      }
      const result: unknown = await this.backend.call(method as BackendMethod, params ?? {}, {
        timeout: CALL_LIMIT_MS,
      });
      return { result };
    } catch (error) {
      return { error: asDeskbusError(error).toObject() };
    }
  }

  protected override tellAll(): void {
    this.send(ControlChannel.connected, this.isConnected);
    this.send(ControlChannel.show, this.wanted);
  }
}

const controlPages = new OwnIpc<ControlWindow>(
  {
    [ControlChannel.ready]: (window) => window.ready(),
    [ControlChannel.close]: (window) => window.close(),
  },
  { [ControlChannel.call]: (window, question) => window.answer(question) },
);
