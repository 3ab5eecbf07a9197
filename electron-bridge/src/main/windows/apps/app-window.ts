import { BrowserWindow, type Rectangle, type RenderProcessGoneDetails } from 'electron';
import type { WindowDescriptor } from '../../../generated/protocol';
import type { Ticket } from '../../../node/connection';
import { Emitter } from '../../../common/emitter';
import { DeskbusError } from '../../../common/error';
import type { AppPolicy } from '../../policy/app-policy';
import type { Relays, WindowRelay } from '../../relays';
import { visiblePlace, WindowPlace } from './window-place';
import { lockContents, lockedPreferences, WINDOW_LOOK } from '../../policy/lockdown';
import { APP_ARGUMENT, CLIENT_ARGUMENT, FDC3_ARGUMENT } from '../../../ipc/page-lines';

interface WindowEvents {
  closed: undefined;
  /** The process that renders it is gone. */
  gone: Partial<RenderProcessGoneDetails>;
  /** It is here now. */
  placed: Rectangle;
}

/** One window of an app: a locked BrowserWindow with a connection of its own to the bus. */
export class AppWindow extends Emitter<WindowEvents> {
  readonly browserWindow: BrowserWindow;
  private readonly relay: WindowRelay;
  private readonly loaded: Promise<void>;
  private readonly ownPlace: WindowPlace;

  constructor(
    readonly descriptor: WindowDescriptor,
    preload: string,
    bounds: Rectangle | undefined,
    policy: AppPolicy,
    relays: Relays,
    mintTicket: () => Promise<Ticket>,
  ) {
    super();
    this.browserWindow = createWindow(descriptor, preload, bounds, relays.arguments);
    const { webContents } = this.browserWindow;
    this.ownPlace = new WindowPlace(this.browserWindow, (place) => this.emit('placed', place));
    this.relay = relays.open(descriptor.app, webContents, mintTicket);
    policy.own(descriptor, webContents);
    lockContents(webContents, descriptor.url, policy);
    onCrash(webContents, (details) => {
      this.relay.dropPage();
      this.emit('gone', details);
    });
    this.browserWindow.once('closed', () => {
      void this.relay.close();
      this.emit('closed', undefined);
    });
    this.loaded = this.load();
  }

  /** Resolves when the page has loaded; rejects with unavailable where it can't be. */
  ready(): Promise<void> {
    return this.loaded;
  }

  get isOpen(): boolean {
    return !this.browserWindow.isDestroyed();
  }

  close(): void {
    if (this.isOpen) this.browserWindow.destroy();
  }

  /** Moves it, to where it can be seen. */
  put(bounds: Rectangle): void {
    this.browserWindow.setBounds(visiblePlace(bounds));
    this.tellPlace();
  }

  tellPlace(): void {
    this.ownPlace.now();
  }

  private async load(): Promise<void> {
    const gone = new Promise<never>((_resolve, reject) => {
      this.once('closed', () => reject(unavailable('The window was closed.')));
    });
    gone.catch(() => undefined);
    try {
      await Promise.race([gone, this.relay.opened]);
      const loading = this.browserWindow.loadURL(this.descriptor.url).catch(() => {
        throw DeskbusError.of(
          'unavailable',
          `The page ${this.descriptor.url} could not be loaded.`,
          { action: 'Look whether it is there; the configuration says where the page is.' },
        );
      });
      await Promise.race([gone, loading]);
    } catch (error) {
      this.close();
      throw error;
    }
    if (!this.browserWindow.isVisible()) this.browserWindow.show();
    this.tellPlace();
  }
}

function createWindow(
  descriptor: WindowDescriptor,
  preload: string,
  bounds: Rectangle | undefined,
  relayArguments: readonly string[],
): BrowserWindow {
  const { app, client, title, width, height, x, y, fdc3, backgroundColor = '#ffffff' } = descriptor;
  const window = new BrowserWindow({
    ...WINDOW_LOOK,
    title,
    width,
    height,
    // The colour below a page, seen before its first paint.
    backgroundColor,
    ...(x === undefined || y === undefined ? {} : visiblePlace({ x, y, width, height })),
    ...bounds,
    webPreferences: lockedPreferences(preload, `deskbus-app:${app}`, [
      APP_ARGUMENT + app,
      CLIENT_ARGUMENT + client,
      ...(fdc3 === undefined ? [] : [FDC3_ARGUMENT + fdc3]),
      ...relayArguments,
    ]),
  });
  window.once('ready-to-show', () => window.show());
  // The title says which app this is; a page has no say in it.
  window.on('page-title-updated', (event) => event.preventDefault());
  return window;
}

/** Electron 9 has another name for it; a version that has both is heard once. */
function onCrash(
  contents: BrowserWindow['webContents'],
  listener: (details: Partial<RenderProcessGoneDetails>) => void,
): void {
  let heard = false;
  const once = (details: Partial<RenderProcessGoneDetails>): void => {
    if (!heard) listener(details);
    heard = true;
  };
  contents.on('render-process-gone', (_event, details) => once(details));
  contents.on('crashed' as 'render-process-gone', (_event, killed: unknown) =>
    once({ reason: killed === true ? 'killed' : 'crashed' }),
  );
}

function unavailable(message: string): DeskbusError {
  return DeskbusError.of('unavailable', message);
}
