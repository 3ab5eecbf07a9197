import { app, type BrowserWindow } from 'electron';
import { join } from 'path';
import type {
  AppChangedParams,
  AppStatus,
  DialogAnswer,
  HelloResult,
  Notice,
  PermissionDialog,
  VaultChangedParams,
  VaultStatus,
  WindowDescriptor,
} from '../generated/protocol';
import { Emitter } from '../node/emitter';
import { DeskbusError } from '../node/error';
import type { BackendMethod, CallContext, CallOptions, Params, Result } from '../node/link';
import { AppWindow } from './app-window';
import { Backend, type BackendDown, type BackendState } from './backend';
import { backendCommand } from './command';
import { ConsentDialog } from './consent-dialog';
import {
  readCloseDialog,
  readCloseNotice,
  readCloseWindow,
  readOpenWindow,
  readShowDialog,
  readShowNotice,
} from './descriptors';
import { Notices } from './notices';
import { killTree } from './process-tree';

export interface ShellOptions {
  /** Where the backend keeps its data. */
  dataDir: string;
  /** The backend's configuration file. */
  config?: string;
  /** The backend's program; the bundled one, else Python, unless told. */
  command?: string;
  /** What comes between the command and `serve`. */
  args?: string[];
  /** Added to the backend's environment. */
  env?: Record<string, string>;
  /** Takes each line of the backend's log, which else goes to this process's stderr. */
  log?: (line: string) => void;
  /** What the backend calls this shell; the app's name unless told. */
  shellName?: string;
  /** A preload script in place of the package's own. */
  preload?: string;
  /** Whether apps that were running come back after the backend had to be restarted. */
  relaunch?: boolean;
  /** Whether notices are drawn; without, draw your own out of the events. */
  notices?: boolean;
}

/** An open window of an app. */
export interface OpenWindow {
  /** Its id, its app and its name on the bus. */
  window: string;
  app: string;
  client: string;
  browserWindow: BrowserWindow;
}

export interface ShellEvents {
  'backend-up': HelloResult;
  'backend-down': BackendDown;
  'app-changed': AppStatus;
  'window-opened': OpenWindow;
  'window-closed': OpenWindow;
  dialog: { descriptor: PermissionDialog; browserWindow: BrowserWindow };
  'dialog-answered': DialogAnswer;
  /** The vault was locked or unlocked, or keeps nothing. */
  vault: VaultStatus;
  /** A person should know something; the window is missing where notices are not drawn. */
  notice: { descriptor: Notice; browserWindow?: BrowserWindow };
}

/** The keychain's own dialog may wait for a person. */
const UNLOCK_LIMIT_MS = 150_000;

/** Makes a shell; nothing runs before its `start()`. */
export function createShell(options: ShellOptions): Shell {
  return new Shell(options);
}

/** Spawns the backend, keeps it alive, and draws the windows and dialogs that it describes. */
export class Shell extends Emitter<ShellEvents> {
  private readonly backend: Backend;
  private readonly open = new Map<string, AppWindow>();
  private readonly dialogs = new Map<string, ConsentDialog>();
  private readonly notices = new Notices(
    (offer, password) => this.accept(offer, password),
    ({ descriptor, browserWindow }) => this.emit('notice', { descriptor, browserWindow }),
  );
  private readonly apps = new Map<string, AppStatus>();
  private readonly preload: string;
  private readonly onWillQuit = (event: { preventDefault(): void }): void => this.delayQuit(event);
  private readonly killAppsAtExit = (): void => this.killApps();

  constructor(private readonly options: ShellOptions) {
    super();
    this.preload = options.preload ?? join(__dirname, '..', 'preload', 'index.js');
    this.backend = new Backend({
      command: backendCommand(options, process.resourcesPath),
      dataDir: options.dataDir,
      config: options.config,
      env: options.env ?? {},
      shellName: options.shellName ?? app.getName(),
      log: options.log,
    });
    this.backend.handle('ui.openWindow', (params) => this.openWindow(readOpenWindow(params)));
    this.backend.handle('ui.closeWindow', (params) => this.closeWindow(readCloseWindow(params)));
    this.backend.handle('ui.showDialog', (params, context) => this.showDialog(params, context));
    this.backend.on('notification', ({ method, params }) => this.notice(method, params));
    this.backend.on('up', (hello) => this.emit('backend-up', hello));
    this.backend.on('down', (down) => this.backendDown(down));
  }

  get state(): BackendState {
    return this.backend.state;
  }

  /** The backend's process id. */
  get pid(): number | undefined {
    return this.backend.pid;
  }

  get pipe(): string | undefined {
    return this.backend.pipe;
  }

  /**
   * Spawns the backend. Rejects with `DeskbusError`: unavailable where it can't be run,
   * version_mismatch where it is of another major version of the protocol.
   */
  async start(): Promise<HelloResult> {
    await app.whenReady();
    app.on('will-quit', this.onWillQuit);
    process.on('exit', this.killAppsAtExit);
    return this.backend.start();
  }

  /** Ends the backend with all that it spawned, within about 2 s, and closes its windows. */
  async stop(): Promise<void> {
    await this.backend.stop();
    app.removeListener('will-quit', this.onWillQuit);
    process.removeListener('exit', this.killAppsAtExit);
    this.notices.closeAll();
    for (const window of this.open.values()) window.close();
  }

  /** Starts an app: its process and its window. Resolves when the page has loaded. */
  async launch(id: string): Promise<AppStatus> {
    const { status } = await this.call('apps.launch', { app: id });
    this.apps.set(id, status);
    return status;
  }

  /** Ends an app; resolves when its process tree and its window are gone. */
  async terminate(id: string): Promise<void> {
    await this.call('apps.terminate', { app: id });
  }

  async list(): Promise<AppStatus[]> {
    return (await this.call('apps.list', {})).apps;
  }

  /** Calls any method of the backend; rejects with `DeskbusError`. */
  call<Name extends BackendMethod>(
    method: Name,
    params: Params<Name>,
    options?: CallOptions,
  ): Promise<Result<Name>> {
    return this.backend.call(method, params, options);
  }

  windows(): OpenWindow[] {
    return [...this.open.values()].map(describe);
  }

  private async openWindow(descriptor: WindowDescriptor): Promise<object> {
    const known = this.open.get(descriptor.window);
    if (known && isSame(known.descriptor, descriptor)) {
      // A restarted backend finds its windows again.
      await known.ready();
      return {};
    }
    known?.close();
    const window = new AppWindow(descriptor, this.preload, () => this.mintTicket(descriptor));
    this.open.set(descriptor.window, window);
    window.on('closed', () => this.windowClosed(window));
    await window.ready();
    this.emit('window-opened', describe(window));
    return {};
  }

  private async mintTicket({ app: id, client }: WindowDescriptor) {
    const { pipe } = await this.backend.up();
    const { ticket } = await this.call('session.mintTicket', { app: id, client });
    return { ticket, pipe };
  }

  private closeWindow(id: string): object {
    const window = this.open.get(id);
    if (!window) throw DeskbusError.of('not_found', 'There is no such window.');
    this.open.delete(id);
    window.close();
    return {};
  }

  private windowClosed(window: AppWindow): void {
    const { window: id } = window.descriptor;
    // A window that the backend closed, or that was replaced, is no news to it.
    if (this.open.get(id) === window) {
      this.open.delete(id);
      this.backend.notify('ui.windowClosed', { window: id });
      this.forgetWindow(id);
    }
    this.emit('window-closed', describe(window));
  }

  private async showDialog(params: unknown, context: CallContext): Promise<DialogAnswer> {
    const checked = readShowDialog(params);
    const { descriptor } = checked;
    const { dialog: id, identity } = descriptor;
    if (this.dialogs.has(id)) throw DeskbusError.of('conflict', 'This dialog is open already.');
    const parent = [...this.open.values()].find(
      (window) => window.descriptor.app === identity.app && window.isOpen,
    );
    const dialog = new ConsentDialog(checked, parent?.browserWindow, () => {
      this.backend.notify('ui.dialogShown', { dialog: id });
      this.emit('dialog', { descriptor, browserWindow: dialog.browserWindow });
    });
    this.dialogs.set(id, dialog);
    context.onCancel(() => dialog.dismiss());
    const answer = await dialog.answer;
    this.dialogs.delete(id);
    this.emit('dialog-answered', answer);
    return answer;
  }

  private notice(method: string, params: unknown): void {
    if (method === 'apps.changed') {
      const { status } = params as AppChangedParams;
      this.apps.set(status.app, status);
      this.emit('app-changed', status);
    } else if (method === 'ui.closeDialog') {
      this.dialogs.get(readCloseDialog(params))?.dismiss();
    } else if (method === 'vault.changed') {
      this.emit('vault', (params as VaultChangedParams).status);
    } else if (method === 'ui.showNotice') {
      const descriptor = readShowNotice(params);
      if (this.options.notices === false) this.emit('notice', { descriptor });
      else this.notices.show(descriptor);
    } else if (method === 'ui.closeNotice') {
      this.notices.close(readCloseNotice(params));
    }
  }

  private async accept(offer: 'vault.unlock', password: string | undefined): Promise<void> {
    const params = password === undefined ? {} : { password };
    await this.call(offer, params, { timeout: UNLOCK_LIMIT_MS });
  }

  private backendDown(down: BackendDown): void {
    this.killApps();
    // The next backend says itself what is so.
    this.notices.closeAll();
    this.emit('backend-down', down);
    if (this.options.relaunch !== false) {
      const wanted = [...this.apps.values()].filter(isRunning).map((status) => status.app);
      this.backend.once('up', () => void this.relaunch(wanted));
    }
  }

  private async relaunch(wanted: string[]): Promise<void> {
    for (const id of wanted) {
      try {
        await this.launch(id);
      } catch (error) {
        this.report(`${id} did not come back: ${String(error)}`);
      }
    }
  }

  private report(line: string): void {
    if (this.options.log) this.options.log(line);
    else process.stderr.write(`${line}\n`);
  }

  /** Processes of apps whose backend can't end them any more; each leads a group. */
  private killApps(): void {
    for (const { pid, ...status } of [...this.apps.values()]) {
      if (pid === undefined) continue;
      killTree(pid);
      this.apps.set(status.app, status);
    }
  }

  private forgetWindow(id: string): void {
    for (const status of this.apps.values()) {
      const windows = status.windows.filter((window) => window !== id);
      if (windows.length < status.windows.length) {
        this.apps.set(status.app, { ...status, windows });
      }
    }
  }

  /** Holds the quit back until the backend has ended. */
  private delayQuit(event: { preventDefault(): void }): void {
    event.preventDefault();
    void this.stop().finally(() => app.quit());
  }
}

function describe({ descriptor, browserWindow }: AppWindow): OpenWindow {
  const { window, app: id, client } = descriptor;
  return { window, app: id, client, browserWindow };
}

function isSame(one: WindowDescriptor, other: WindowDescriptor): boolean {
  return one.app === other.app && one.client === other.client && one.url === other.url;
}

function isRunning({ state }: AppStatus): boolean {
  return state !== 'stopped' && state !== 'crashed' && state !== 'failed';
}
