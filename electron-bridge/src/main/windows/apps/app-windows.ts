import type { BrowserWindow, RenderProcessGoneDetails } from 'electron';
import type { CrashPage, PlaceWindowParams, WindowDescriptor } from '../../../generated/protocol';
import { Emitter } from '../../../common/emitter';
import { asDeskbusError, DeskbusError } from '../../../common/error';
import { AppPolicy } from '../../policy/app-policy';
import { AppWindow } from './app-window';
import type { Backend } from '../../backend/backend';
import { CrashWindow } from './crash-window';
import { spoken } from '../../languages';
import { readCloseWindow, readOpenWindow, readPlaceWindow, readShowCrash } from '../../descriptors';
import { Grants } from '../../policy/grants';
import type { Relays } from '../../relays';
import { WindowProcesses } from './window-processes';

/** An open window of an app. */
export interface OpenWindow {
  /** Its id, its app and its name on the bus. */
  window: string;
  app: string;
  client: string;
  browserWindow: BrowserWindow;
}

interface AppWindowsEvents {
  opened: OpenWindow;
  closed: OpenWindow;
  /** A person closed the window with this id. */
  'closed-by-person': string;
  crashed: { page: CrashPage; browserWindow: BrowserWindow };
}

/** The windows of all apps; where one's process died, its crash page stands in its place. */
export class AppWindows extends Emitter<AppWindowsEvents> {
  private readonly open = new Map<string, AppWindow>();
  private readonly crashes = new Map<string, CrashWindow>();
  private readonly processes: WindowProcesses;
  private readonly policies = new Map<string, AppPolicy>();
  private readonly grants: Grants;

  constructor(
    private readonly backend: Backend,
    private readonly preload: string,
    private readonly relays: Relays,
  ) {
    super();
    this.grants = new Grants(backend);
    this.processes = new WindowProcesses((app, pids) => {
      backend.notify('ui.windowProcesses', { app, pids });
    });
    backend.on('up', () => {
      this.processes.tellAll();
      this.tellPlaces();
    });
    backend.handle('ui.openWindow', (params) => this.openWindow(readOpenWindow(params)));
    backend.handle('ui.placeWindow', (params) => this.placeWindow(readPlaceWindow(params)));
    backend.handle('ui.closeWindow', (params) => this.closeWindow(readCloseWindow(params)));
    backend.handle('ui.showCrash', (params) => this.showCrash(readShowCrash(params)));
  }

  list(): OpenWindow[] {
    return [...this.open.values()].map(describe);
  }

  /** A window of the app that can be seen, its crash page else. */
  of(app: string): BrowserWindow | undefined {
    const windows = [...this.open.values(), ...this.crashes.values()];
    return windows.find(
      ({ descriptor, browserWindow }) => descriptor.app === app && !browserWindow.isDestroyed(),
    )?.browserWindow;
  }

  /** Tells the backend where each window is. */
  tellPlaces(): void {
    for (const window of this.open.values()) window.tellPlace();
  }

  closeAll(): void {
    for (const window of [...this.open.values(), ...this.crashes.values()]) window.close();
  }

  private async openWindow(descriptor: WindowDescriptor): Promise<object> {
    const { window: id } = descriptor;
    const known = this.open.get(id);
    const crash = this.crashes.get(id);
    if (known && !crash && isSame(known.descriptor, descriptor)) {
      // A restarted backend finds its windows again.
      await known.ready();
      return {};
    }
    const bounds = (crash ?? known)?.browserWindow.getBounds();
    known?.close();
    const policy = this.policyOf(descriptor.app);
    const window = new AppWindow(descriptor, this.preload, bounds, policy, this.relays, () =>
      this.mintTicket(descriptor),
    );
    this.open.set(id, window);
    this.processes.watch(descriptor.app, window.browserWindow.webContents);
    window.on('closed', () => this.windowClosed(window));
    window.on('gone', (details) => this.rendererGone(window, details));
    window.on('placed', (bounds) => {
      if (this.open.get(id) === window)
        this.backend.notify('ui.windowMoved', { window: id, bounds });
    });
    await window.ready();
    if (this.open.get(id) !== window) {
      throw DeskbusError.of('unavailable', 'The window was replaced while it opened.');
    }
    this.takeCrashAway(id);
    this.emit('opened', describe(window));
    return {};
  }

  /** One for each app, as each has one session. */
  private policyOf(app: string): AppPolicy {
    const policy = this.policies.get(app) ?? new AppPolicy(app, this.backend, this.grants);
    this.policies.set(app, policy);
    return policy;
  }

  private async mintTicket({ app: id, client }: WindowDescriptor) {
    const { pipe } = await this.backend.up();
    const { ticket } = await this.backend.call('session.mintTicket', { app: id, client });
    return { ticket, pipe };
  }

  private placeWindow({ window: id, bounds }: PlaceWindowParams): object {
    const window = this.open.get(id);
    if (!window) throw DeskbusError.of('not_found', 'There is no such window.');
    window.put(bounds);
    return {};
  }

  private closeWindow(id: string): object {
    const window = this.open.get(id);
    const crash = this.crashes.get(id);
    if (!window && !crash) throw DeskbusError.of('not_found', 'There is no such window.');
    this.open.delete(id);
    this.takeCrashAway(id);
    window?.close();
    return {};
  }

  private windowClosed(window: AppWindow): void {
    const { window: id } = window.descriptor;
    // A window that the backend closed, or that was replaced, is no news to it.
    if (this.open.get(id) === window) {
      this.open.delete(id);
      if (!this.crashes.has(id)) this.closedByPerson(id);
    }
    this.emit('closed', describe(window));
  }

  private closedByPerson(id: string): void {
    this.backend.notify('ui.windowClosed', { window: id });
    this.emit('closed-by-person', id);
  }

  /** Puts the crash page in the window's place; returns once it is in view. */
  private async showCrash(page: CrashPage): Promise<object> {
    const { window: id } = page;
    const shown = this.crashes.get(id);
    const window = this.open.get(id);
    if (shown) {
      // A window that was to replace the page belongs to a process that died while it opened.
      this.open.delete(id);
      window?.close();
      shown.draw(page);
      return {};
    }
    if (!window) throw DeskbusError.of('not_found', 'There is no such window.');
    const crash = new CrashWindow(page, window.browserWindow.getBounds());
    this.crashes.set(id, crash);
    crash.on('restart', () => void this.restart(crash));
    crash.on('closed', () => {
      if (this.crashes.get(id) !== crash) return;
      this.crashes.delete(id);
      this.closedByPerson(id);
    });
    await new Promise<void>((resolve) => crash.once('shown', () => resolve()));
    window.close();
    this.emit('crashed', { page, browserWindow: crash.browserWindow });
    return {};
  }

  private takeCrashAway(id: string): void {
    const crash = this.crashes.get(id);
    this.crashes.delete(id);
    crash?.close();
  }

  /** The process that draws the window died; the app's own may know nothing of it. */
  private rendererGone(window: AppWindow, details: Partial<RenderProcessGoneDetails>): void {
    const { window: id, app, title } = window.descriptor;
    if (this.open.get(id) !== window || this.crashes.has(id)) return;
    const { reason = 'crashed', exitCode } = details;
    const code = exitCode === undefined ? {} : { exitCode };
    this.backend.notify('ui.windowGone', { window: id, reason, ...code });
    // The backend knows more and will draw it anew; where it is away, this has to do.
    void this.showCrash({
      kind: 'crash',
      window: id,
      app,
      name: title,
      cause: 'renderer',
      at: Date.now(),
      ...code,
      ...(reason === 'oom' ? { detail: spoken().text('main.crash.oom') } : {}),
      restart: { state: 'manual' },
    });
  }

  private async restart(crash: CrashWindow): Promise<void> {
    const { app, cause } = crash.descriptor;
    try {
      // A window that crashed by itself comes back beside the app's process, which may well run.
      await this.backend.call(cause === 'renderer' ? 'apps.launch' : 'apps.restart', { app });
    } catch (error) {
      const { message, action } = asDeskbusError(error);
      crash.failed(`${message} ${action}`);
    }
  }
}

function describe({ descriptor, browserWindow }: AppWindow): OpenWindow {
  const { window, app, client } = descriptor;
  return { window, app, client, browserWindow };
}

function isSame(one: WindowDescriptor, other: WindowDescriptor): boolean {
  return one.app === other.app && one.client === other.client && one.url === other.url;
}
