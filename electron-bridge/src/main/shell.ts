import { app, MessageChannelMain, safeStorage, utilityProcess, type BrowserWindow } from 'electron';
import { existsSync } from 'fs';
import { join, resolve } from 'path';
import type {
  AppChangedParams,
  AppStatus,
  ChoiceAnswer,
  ChoiceDialog,
  CrashPage,
  DialogAnswer,
  FileHolder,
  HelloResult,
  Notice,
  PanelQuery,
  PermissionDialog,
  VaultChangedParams,
  VaultStatus,
} from '../generated/protocol';
import { Emitter } from '../common/emitter';
import { DeskbusError } from '../common/error';
import type {
  BackendMethod,
  CallArguments,
  CallContext,
  CallOptions,
  Result,
} from '../node/link/link';
import { AppWindows, type OpenWindow } from './windows/apps/app-windows';
import { Backend, type BackendDown, type BackendState } from './backend/backend';
import { backendCommand } from './backend/command';
import { ChoiceWindow } from './windows/dialogs/choice-window';
import { ConsentDialog } from './windows/dialogs/consent-dialog';
import {
  readCloseDialog,
  readCloseNotice,
  readShowChoice,
  readShowDialog,
  readShowNotice,
} from './descriptors';
import { Notices } from './windows/dialogs/notices';
import { pageIpc } from './ipc';
import { ControlCentre } from './windows/panels/control-window';
import { OwnPanels, type OwnPanel } from './windows/panels/own-panels';
import { Panels } from './windows/panels/panels';
import { RelaysInProcess } from './relay-process';
import { RelaysInMain, type Relays } from './relays';
import { killTree } from './backend/process-tree';
import { SafeStorageKeys, type AnySafeStorage } from './backend/safe-storage';
import { Utilities } from './backend/utilities';

export interface ShellOptions {
  /** Where the backend keeps its data. */
  dataDir: string;
  /** The backend's configuration file. */
  config?: string;
  /** The backend's program; the bundled one, else Python, unless told. */
  command?: string;
  /** Arguments between the command and `serve`. */
  args?: string[];
  /** Added to the backend's environment. */
  env?: Record<string, string>;
  /** Takes each line of the backend's log, which else goes to this process's stderr. */
  log?: (line: string) => void;
  /** The backend's name for this shell; the app's name unless given. */
  shellName?: string;
  /** A preload script in place of the package's own. */
  preload?: string;
  /** Whether apps that were running come back after the backend had to be restarted. */
  relaunch?: boolean;
  /**
   * The process that has the windows' connections: `main`, unless told, or on Electron 22 and later a
   * `process` of its own, which pages reach past main. The latter was never run in a real Electron.
   */
  relay?: 'main' | 'process';
  /**
   * The locale of whoever sits in front of it, such as `de-AT`; Electron's own unless told. Dialogs,
   * panels and other pages of deskbus are in its language, English where there is no catalogue of it.
   */
  locale?: string;
  /** Whether notices are drawn; without, draw your own out of the events. */
  notices?: boolean;
}

export interface ShellEvents {
  'backend-up': HelloResult;
  'backend-down': BackendDown;
  'app-changed': AppStatus;
  'window-opened': OpenWindow;
  'window-closed': OpenWindow;
  /** An app's process died, and a page says so in the place of its window. */
  'window-crashed': { page: CrashPage; browserWindow: BrowserWindow };
  'panel-opened': { name: string; browserWindow: BrowserWindow };
  'panel-closed': { name: string };
  'control-centre-opened': { browserWindow: BrowserWindow };
  dialog: { descriptor: PermissionDialog; browserWindow: BrowserWindow };
  'dialog-answered': DialogAnswer;
  /** A person has to choose: the app for an intent, or a channel. */
  choice: { descriptor: ChoiceDialog; browserWindow: BrowserWindow };
  /** The vault was locked or unlocked, or keeps nothing. */
  vault: VaultStatus;
  /** A person should know something; the window is missing where notices are not drawn. */
  notice: { descriptor: Notice; browserWindow?: BrowserWindow };
}

/** The outcome of `prepareForUpdate`. */
export interface UpdateReadiness {
  /** The backend and all that it started are gone, and nothing holds a file that is replaced. */
  ready: boolean;
  /** The processes that are in the way, each with a file that it holds, or its program. */
  holders: FileHolder[];
  /** Processes of other users, which could not be looked at. */
  unreadable: number;
  /** False where the backend did not end by itself in time, and was killed. */
  clean: boolean;
}

/** Apps are given their time to end, and every process of the machine is looked at. */
const PREPARE_LIMIT_MS = 60_000;
/** For writing what the log and the audit log have in memory. */
const LAST_WRITE_LIMIT_MS = 8_000;

/** The keychain's own dialog may wait for a person. */
const UNLOCK_LIMIT_MS = 150_000;

/** Makes a shell; nothing runs before its `start()`. */
export function createShell(options: ShellOptions): Shell {
  return new Shell(options);
}

/** Spawns the backend, keeps it alive, and draws the windows and dialogs that it describes. */
export class Shell extends Emitter<ShellEvents> {
  private readonly backend: Backend;
  private readonly relays: Relays;
  private readonly appWindows: AppWindows;
  private readonly panels: Panels;
  private readonly controlCentre: ControlCentre;
  private readonly ownPanels: OwnPanels;
  private readonly utilities: Utilities;
  private readonly dialogs = new Map<string, { dismiss(): void }>();
  private readonly notices = new Notices(
    (notice, password) => this.accept(notice, password),
    ({ descriptor, browserWindow }) => this.emit('notice', { descriptor, browserWindow }),
  );
  private readonly apps = new Map<string, AppStatus>();
  /** Those that come back with the backend. */
  private readonly awaited = new Set<string>();
  /** Settles with what `prepareForUpdate` does, and never rejects. */
  private preparing: Promise<unknown> = Promise.resolve();
  private readonly onWillQuit = (event: { preventDefault(): void }): void => this.delayQuit(event);
  /** Windows are closed after this, and a restart is to find them as they are now. */
  private readonly onBeforeQuit = (): void => {
    this.appWindows.tellPlaces();
    this.backend.notify('ui.quitting', {});
  };
  private readonly killAppsAtExit = (): void => this.killApps();

  constructor(private readonly options: ShellOptions) {
    super();
    const preload = options.preload ?? join(__dirname, '..', 'preload', 'index.js');
    needOwnFiles(preload);
    this.backend = new Backend({
      command: backendCommand(options, process.resourcesPath),
      dataDir: options.dataDir,
      config: options.config,
      env: options.env ?? {},
      shellName: options.shellName ?? app.getName(),
      locale: () => options.locale ?? app.getLocale(),
      log: options.log,
    });
    // Not there before Electron 22.
    const forker = utilityProcess as typeof utilityProcess | undefined;
    this.relays = options.relay === 'process' ? relaysInProcess(forker) : new RelaysInMain();
    this.appWindows = new AppWindows(this.backend, preload, this.relays);
    this.appWindows.on('opened', (window) => this.emit('window-opened', window));
    this.appWindows.on('closed', (window) => this.emit('window-closed', window));
    this.appWindows.on('closed-by-person', (window) => this.forgetWindow(window));
    this.appWindows.on('crashed', (crash) => this.emit('window-crashed', crash));
    this.utilities = new Utilities(this.backend, forker?.fork.bind(forker));
    // Not there before Electron 15.
    const safe = safeStorage as AnySafeStorage | undefined;
    new SafeStorageKeys(this.backend, safe, () => app.whenReady());
    this.panels = new Panels(this.backend);
    this.panels.on('opened', ({ descriptor: { name }, browserWindow }) =>
      this.emit('panel-opened', { name, browserWindow }),
    );
    this.panels.on('closed', (name) => this.emit('panel-closed', { name }));
    this.ownPanels = new OwnPanels(this.backend);
    this.controlCentre = new ControlCentre(this.backend);
    this.controlCentre.on('opened', (browserWindow) =>
      this.emit('control-centre-opened', { browserWindow }),
    );
    this.backend.handle('ui.showDialog', (params, context) => this.showDialog(params, context));
    this.backend.handle('ui.showChoice', (params, context) => this.showChoice(params, context));
    this.hearNotices();
    this.backend.on('up', (hello) => {
      this.emit('backend-up', hello);
      void this.relaunch();
    });
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
   * Spawns the backend, also before Electron is ready, which saves the time that both take. Rejects with `DeskbusError`: unavailable where it can't be run,
   * version_mismatch where it is of another major version of the protocol.
   */
  async start(): Promise<HelloResult> {
    app.on('before-quit', this.onBeforeQuit);
    app.on('will-quit', this.onWillQuit);
    process.on('exit', this.killAppsAtExit);
    return this.backend.start(app.whenReady());
  }

  /** Ends the backend with all that it spawned, within about 2 s, and closes its windows. */
  async stop(): Promise<void> {
    await this.end(() => this.backend.stop());
  }

  private async end<Outcome>(stopBackend: () => Promise<Outcome>): Promise<Outcome> {
    const outcome = await stopBackend();
    this.awaited.clear();
    app.removeListener('before-quit', this.onBeforeQuit);
    app.removeListener('will-quit', this.onWillQuit);
    process.removeListener('exit', this.killAppsAtExit);
    this.notices.closeAll();
    this.appWindows.closeAll();
    this.relays.close();
    this.panels.closeAll();
    this.controlCentre.close();
    this.utilities.endAll();
    return outcome;
  }

  /**
   * Makes the app's folder replaceable: ends every app, then the backend, with everything written,
   * and proves that each process is gone. `folder` is what the update replaces; without it, the
   * bundle from which the backend runs. Where something else holds a file of it, the backend stays
   * up, apps can be launched again, and `holders` says what to close. Rejects with `DeskbusError`.
   */
  async prepareForUpdate({ folder }: { folder?: string } = {}): Promise<UpdateReadiness> {
    // The last window closes on the way, with which many an app quits.
    const preparing = this.preparing.then(() => this.prepare(folder));
    this.preparing = preparing.catch(() => undefined);
    return preparing;
  }

  private async prepare(folder: string | undefined): Promise<UpdateReadiness> {
    const params = folder === undefined ? {} : { folder: resolve(folder) };
    const limit = { timeout: PREPARE_LIMIT_MS };
    const { ready, holders, unreadable } = await this.call('apps.prepareForUpdate', params, limit);
    if (!ready) return { ready, holders, unreadable, clean: true };
    const { isClean, left } = await this.end(() => this.backend.stopWhole(LAST_WRITE_LIMIT_MS));
    const remaining = left.map((pid) => ({ pid, name: 'a process of the backend', path: '' }));
    return { ready: left.length === 0, holders: remaining, unreadable, clean: isClean };
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
    ...[params, options]: CallArguments<Name, CallOptions>
  ): Promise<Result<Name>> {
    return this.backend.call(method, params ?? {}, options);
  }

  windows(): OpenWindow[] {
    return this.appWindows.list();
  }

  /**
   * Opens a panel, such as `permissions` or `audit`, or brings its window to the front. Rejects
   * with `DeskbusError`: not_found where there is no such panel.
   */
  async openPanel(name: string, query: PanelQuery = {}): Promise<BrowserWindow> {
    if (this.ownPanels.has(name)) return this.controlCentre.open(`panel:${name}`);
    const panel = await this.panels.open(name, query);
    return panel.browserWindow;
  }

  /**
   * Opens the control centre, or brings its window to the front: at a page such as `apps`, or at
   * what one looks at, such as `bus/prices.EURUSD`. Rejects with `DeskbusError`.
   */
  async openControlCentre(page = 'overview'): Promise<BrowserWindow> {
    return this.controlCentre.open(page);
  }

  /**
   * Adds a panel of the program's own: a page in the control centre, and a window by `openPanel`. Rejects with
   * `DeskbusError`: conflict where there is such a panel already.
   */
  async addPanel(panel: OwnPanel): Promise<void> {
    await this.ownPanels.add(panel);
  }

  private async showDialog(params: unknown, context: CallContext): Promise<DialogAnswer> {
    const checked = readShowDialog(params);
    const { descriptor } = checked;
    const { dialog: id, identity } = descriptor;
    if (this.dialogs.has(id)) throw DeskbusError.of('conflict', 'This dialog is open already.');
    const parent = this.appWindows.of(identity.app);
    const dialog = new ConsentDialog(checked, parent, (isFirst) => {
      this.backend.notify('ui.dialogShown', { dialog: id });
      if (isFirst) this.emit('dialog', { descriptor, browserWindow: dialog.browserWindow });
    });
    this.dialogs.set(id, dialog);
    context.onCancel(() => dialog.dismiss());
    const answer = await dialog.answer;
    this.dialogs.delete(id);
    this.emit('dialog-answered', answer);
    return answer;
  }

  private async showChoice(params: unknown, context: CallContext): Promise<ChoiceAnswer> {
    const descriptor = readShowChoice(params);
    const { dialog: id, app: asker } = descriptor;
    if (this.dialogs.has(id)) throw DeskbusError.of('conflict', 'This dialog is open already.');
    const dialog = new ChoiceWindow(descriptor, this.appWindows.of(asker));
    this.dialogs.set(id, dialog);
    this.emit('choice', { descriptor, browserWindow: dialog.browserWindow });
    context.onCancel(() => dialog.dismiss());
    const answer = await dialog.answer;
    this.dialogs.delete(id);
    return answer;
  }

  private hearNotices(): void {
    const { backend } = this;
    backend.onNotice('apps.changed', (params) => {
      const { status } = params as AppChangedParams;
      this.apps.set(status.app, status);
      this.emit('app-changed', status);
    });
    backend.onNotice('vault.changed', (params) => {
      this.emit('vault', (params as VaultChangedParams).status);
    });
    backend.onNotice('ui.closeDialog', (params) => {
      this.dialogs.get(readCloseDialog(params))?.dismiss();
    });
    backend.onNotice('ui.showNotice', (params) => {
      const descriptor = readShowNotice(params);
      if (this.options.notices === false) this.emit('notice', { descriptor });
      else this.notices.show(descriptor);
    });
    backend.onNotice('ui.closeNotice', (params) => this.notices.close(readCloseNotice(params)));
  }

  private async accept({ offer, app }: Notice, password: string | undefined): Promise<void> {
    if (offer === 'apps.launch' && app !== undefined) {
      await this.launch(app);
      return;
    }
    if (offer !== 'vault.unlock') return;
    const params = password === undefined ? {} : { password };
    await this.call(offer, params, { timeout: UNLOCK_LIMIT_MS });
  }

  private backendDown(down: BackendDown): void {
    this.killApps();
    // The next backend says itself what is so.
    this.notices.closeAll();
    this.emit('backend-down', down);
    if (this.options.relaunch === false) return;
    // It goes down again with each attempt to start it that fails.
    for (const status of this.apps.values()) if (isRunning(status)) this.awaited.add(status.app);
  }

  private async relaunch(): Promise<void> {
    const awaited = [...this.awaited];
    this.awaited.clear();
    for (const id of awaited) {
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
    void this.preparing.then(() => this.stop()).finally(() => app.quit());
  }
}

function relaysInProcess(forker: typeof utilityProcess | undefined): Relays {
  if (!forker) {
    throw DeskbusError.of('unavailable', "relay: 'process' needs Electron 22 or later.", {
      action: 'Leave the option out, or use a newer Electron.',
      retryable: false,
    });
  }
  const entry = join(__dirname, '..', 'relay', 'index.js');
  return new RelaysInProcess({
    fork: () => forker.fork(entry, [], { serviceName: 'deskbus relays' }),
    makeChannel: () => new MessageChannelMain(),
    addPage: (contents, endpoint) => pageIpc.add(contents, endpoint),
  });
}

/** A bundle of the main process leaves behind what windows load by its path. */
function needOwnFiles(preload: string): void {
  const missing = [preload, join(__dirname, '..', 'renderer', 'en', 'dialog.html')].find(
    (file) => !existsSync(file),
  );
  if (missing === undefined) return;
  throw DeskbusError.of(
    'unavailable',
    `${missing} is not there. deskbus-electron loads its preload scripts and pages from files of its own.`,
    {
      action:
        'Where a bundler builds the main process, mark deskbus-electron as external (esbuild ' +
        '--external:deskbus-electron, externals in webpack, build.rollupOptions.external in Vite), ' +
        'and ship it in node_modules.',
      retryable: false,
    },
  );
}

function isRunning({ state }: AppStatus): boolean {
  return !['stopping', 'stopped', 'crashed', 'failed'].includes(state);
}
