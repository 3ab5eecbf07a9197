import { spawn, type ChildProcess } from 'child_process';
import { resolve } from 'path';
import { createInterface } from 'readline';
import type { Readable, Writable } from 'stream';
import { PROTOCOL_VERSION, type HelloResult } from '../../generated/protocol';
import { Backoff } from '../../common/backoff';
import { Emitter } from '../../common/emitter';
import { asDeskbusError, DeskbusError, isError, isLoss, type ErrorName } from '../../common/error';
import {
  Link,
  type BackendMethod,
  type CallOptions,
  type Handler,
  type Params,
  type Result,
} from '../../node/link/link';
import { backendEnvironment, backendFolder, lacksDeskbus, type Command } from './command';
import { speak } from '../languages';
import { killTree, leftOf, treeOf } from './process-tree';

export type BackendState = 'starting' | 'up' | 'down' | 'stopped';

export interface BackendDown {
  code: number | null;
  signal: string | null;
  /** Milliseconds until it is started again; missing where it will not be. */
  restartInMs?: number;
}

interface BackendEvents {
  up: HelloResult;
  down: BackendDown;
  notification: { method: string; params: unknown };
}

export interface BackendOptions {
  command: Command;
  dataDir: string;
  config: string | undefined;
  env: Record<string, string>;
  shellName: string;
  /** Asked once Electron is ready, before which it knows none. */
  locale(): string;
  log: ((line: string) => void) | undefined;
}

/** Of the log of a backend that does not start: those that its error has. */
const LAST_LINES = 3;
const OUTPUT_LIMIT_MS = 250;
/** Characters of a locale that the backend takes. */
const MAX_LOCALE = 64;
const HELLO_LIMIT_MS = 10_000;
const STOP_LIMIT_MS = 2_000;
const FIRST_RESTART_MS = 250;
const LAST_RESTART_MS = 5_000;
/** After so long a run, the next death counts as a first one again. */
const STABLE_MS = 60_000;

interface Run {
  child: ChildProcess;
  link: Link;
  /** Resolves when the process has ended, and what it wrote last was heard. */
  ended: Promise<void>;
  /** The last that it wrote to its log. */
  lastLines: string[];
}

/** The backend's process and the shell link to it: its stdin and stdout. */
export class Backend extends Emitter<BackendEvents> {
  private readonly handlers = new Map<string, Handler>();
  private readonly backoff = new Backoff(FIRST_RESTART_MS, LAST_RESTART_MS);
  private current: BackendState = 'stopped';
  private run: Run | undefined;
  private hello: HelloResult | undefined;
  private timer: NodeJS.Timeout | undefined;
  private readonly killAtExit = (): void => this.kill();

  constructor(private readonly options: BackendOptions) {
    super();
  }

  get state(): BackendState {
    return this.current;
  }

  get pid(): number | undefined {
    return this.run?.child.pid;
  }

  get pipe(): string | undefined {
    return this.hello?.pipe;
  }

  /** Lets `handler` answer the backend's calls of `method`. */
  handle(method: string, handler: Handler): void {
    this.handlers.set(method, handler);
  }

  /** Takes the backend's notifications of one kind; one that breaks its schema is passed over. */
  onNotice(wanted: string, take: (params: unknown) => void): void {
    this.on('notification', ({ method, params }) => {
      if (method !== wanted) return;
      try {
        take(params);
      } catch (error) {
        if (!isError(error, 'invalid_params')) throw error;
        this.options.log?.(`${method}: ${asDeskbusError(error).message}`);
      }
    });
  }

  /**
   * Spawns the backend, and opens the shell's session once this side is `ready` to be asked for
   * something. A first start that fails is not repeated.
   */
  async start(ready: Promise<unknown>): Promise<HelloResult> {
    if (this.current !== 'stopped') throw DeskbusError.of('conflict', 'The shell has started.');
    process.on('exit', this.killAtExit);
    try {
      return await this.launch(ready);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async call<Name extends BackendMethod>(
    method: Name,
    params: Params<Name>,
    options?: CallOptions,
  ): Promise<Result<Name>> {
    if (this.current !== 'up' || !this.run) {
      throw DeskbusError.of('unavailable', 'The backend is not running.');
    }
    return this.run.link.call(method, params, options);
  }

  /**
   * Tells the backend something; where it is not running there is nothing to tell. It counts as up
   * until its process has ended, which is some time after its link has.
   */
  notify<Name extends BackendMethod>(method: Name, params: Params<Name>): void {
    if (this.current !== 'up') return;
    try {
      this.run?.link.notify(method, params);
    } catch (error) {
      if (!isLoss(error)) throw error;
    }
  }

  /** Resolves with the hello of the backend that is up, or of the next one to come up. */
  async up(): Promise<HelloResult> {
    if (this.current === 'up' && this.hello) return this.hello;
    return new Promise((resolve) => this.once('up', resolve));
  }

  /** Asks the backend to end, waits for so long at most, then kills its tree. */
  async stop(limitMs = STOP_LIMIT_MS): Promise<void> {
    clearTimeout(this.timer);
    const { run, current } = this;
    this.current = 'stopped';
    if (run) {
      const limit = setTimeout(() => this.kill(), limitMs);
      if (current === 'up') {
        const bounded = { timeout: limitMs };
        await run.link.call('session.shutdown', {}, bounded).catch(() => undefined);
      }
      run.child.stdin?.end();
      await run.ended;
      clearTimeout(limit);
    }
    process.removeListener('exit', this.killAtExit);
  }

  /**
   * Ends the backend and proves it: resolves with the processes of its tree that are still there.
   * `isClean` says that it ended by itself, with everything written.
   */
  async stopWhole(limitMs: number): Promise<{ isClean: boolean; left: number[] }> {
    const { run } = this;
    const members = run?.child.pid === undefined ? [] : treeOf(run.child.pid);
    await this.stop(limitMs);
    return { isClean: run?.child.exitCode === 0, left: await leftOf(members, STOP_LIMIT_MS) };
  }

  private async launch(ready: Promise<unknown> = Promise.resolve()): Promise<HelloResult> {
    this.current = 'starting';
    const run = this.spawn();
    this.run = run;
    await ready;
    speak(this.options.locale());
    const hello = await this.greet(run);
    this.hello = hello;
    this.current = 'up';
    const started = process.uptime();
    void run.ended.then(() => {
      if ((process.uptime() - started) * 1000 >= STABLE_MS) this.backoff.reset();
      if (this.run === run && this.current === 'up') this.restartLater(run.child);
    });
    this.emit('up', hello);
    return hello;
  }

  private spawn(): Run {
    const { command, dataDir, config, env, log } = this.options;
    const args = [...command.args, 'serve', '--stdio', '--data-dir', resolve(dataDir)];
    if (config !== undefined) args.push('--config', resolve(config));
    const child = spawn(command.file, args, {
      // Its own process group, so that what it spawned can be killed with it.
      detached: process.platform !== 'win32',
      cwd: backendFolder(),
      env: backendEnvironment(process.env, env),
      stdio: ['pipe', 'pipe', 'pipe'],
      windowsHide: true,
    }) as ChildProcess & { stdin: Writable; stdout: Readable; stderr: Readable };
    // The failure to start is told by `ended`, and by the link that it closes.
    child.on('error', () => undefined);
    const link = new Link(child.stdin, {
      onNotification: (method, params) => this.emit('notification', { method, params }),
      // A backend that can't be talked to any more is of no use.
      onClose: () => {
        if (this.current !== 'stopped') child.kill('SIGKILL');
      },
    });
    for (const [method, handler] of this.handlers) link.handle(method, handler);
    child.stdout.on('data', (chunk: Buffer) => link.feed(chunk));
    const lastLines: string[] = [];
    const tell = log ?? toStderr;
    const heard = createInterface({ input: child.stderr }).on('line', (line) => {
      lastLines.push(line);
      if (lastLines.length > LAST_LINES) lastLines.shift();
      tell(line);
    });
    const quiet = new Promise<void>((resolve) => void heard.once('close', resolve));
    const ended = new Promise<void>((resolve) => {
      child.once('error', () => resolve());
      // A grandchild may hold its stderr open.
      child.once('exit', () => void Promise.race([quiet, wait(OUTPUT_LIMIT_MS)]).then(resolve));
    }).then(() => link.close());
    return { child, link, ended, lastLines };
  }

  private async greet({ child, link, ended, lastLines }: Run): Promise<HelloResult> {
    const { electron = '0' } = process.versions as { electron?: string };
    const params = {
      protocolVersion: PROTOCOL_VERSION,
      shell: this.options.shellName,
      execPath: process.execPath,
      electron: Number(major(electron)),
      locale: this.options.locale().slice(0, MAX_LOCALE),
    };
    let hello: HelloResult;
    try {
      hello = await link.call('session.hello', params, { timeout: HELLO_LIMIT_MS });
    } catch (error) {
      if (!isError(error, 'connection_lost')) throw error;
      await ended;
      throw await notStarted(this.options, child, lastLines);
    }
    const theirs = hello.protocolVersion;
    if (major(theirs) !== major(PROTOCOL_VERSION)) {
      throw mismatch(theirs);
    }
    return hello;
  }

  private restartLater(dead: ChildProcess): void {
    this.kill();
    this.current = 'down';
    const restartInMs = this.backoff.next();
    this.emit('down', { code: dead.exitCode, signal: dead.signalCode, restartInMs });
    this.timer = setTimeout(() => {
      this.launch().catch((error: unknown) => {
        if (this.current === 'stopped') return;
        if (isError(error, 'version_mismatch')) this.giveUp();
        else if (this.run) this.restartLater(this.run.child);
      });
    }, restartInMs);
  }

  /** Another try would end the same. */
  private giveUp(): void {
    this.kill();
    this.current = 'stopped';
    this.emit('down', { code: null, signal: null });
  }

  private kill(): void {
    if (this.pid !== undefined) killTree(this.pid);
  }
}

/** A terminal that has gone must not end the app: its error is heard. */
function toStderr(line: string): void {
  if (!process.stderr.listeners('error').includes(ignore)) process.stderr.on('error', ignore);
  process.stderr.write(`${line}\n`);
}

function ignore(): void {
  // There is nobody to tell.
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

function major(version: string): string {
  return version.split('.', 1)[0] ?? '';
}

/** Another major version of the protocol: the side with the lower one is to be updated. */
function mismatch(theirs: string): DeskbusError {
  const isBackendOlder = Number(major(theirs)) < Number(major(PROTOCOL_VERSION));
  const action = isBackendOlder
    ? `Update the backend: a deskbus that speaks protocol ${major(PROTOCOL_VERSION)}, or a bundle of it.`
    : `Update deskbus-electron to a version that speaks protocol ${major(theirs)}.`;
  return DeskbusError.of(
    'version_mismatch',
    `The backend speaks protocol ${theirs}, deskbus-electron speaks ${PROTOCOL_VERSION}.`,
    { action, retryable: false },
  );
}

async function whyNotStarted(
  { command, env }: BackendOptions,
  child: ChildProcess,
): Promise<string> {
  const { file } = command;
  if (child.pid === undefined) {
    return `${file} could not be run. Install Python with deskbus, or set the option "command".`;
  }
  if (await lacksDeskbus(command, backendEnvironment(process.env, env))) {
    return (
      `${file} has no deskbus. One in the user's site-packages, on PYTHONPATH or in the working folder ` +
      'is not started: install it into a venv and set the option "command" to its Python, or bundle it.'
    );
  }
  const end = child.signalCode ?? `exit code ${String(child.exitCode)}`;
  return `The backend ended while it started (${end}).`;
}

/** The exit codes of `deskbus serve` that say what a person can do, and what that is. */
const ADVICE: Partial<Record<number, { name: ErrorName; action: string }>> = {
  78: { name: 'invalid_params', action: 'Correct the configuration, then start again.' },
  73: {
    name: 'conflict',
    action: 'Quit the other one, or let app.requestSingleInstanceLock() keep a second one away.',
  },
};

/** A backend that ended as it started: its own last words, and what to do. */
async function notStarted(
  options: BackendOptions,
  child: ChildProcess,
  lastLines: string[],
): Promise<DeskbusError> {
  const known = ADVICE[child.exitCode ?? 0];
  const last = lastLines.filter((line) => line.trim() !== '').slice(-LAST_LINES);
  const words = last.map((line) => line.replace(/^deskbus: /, '')).join('\n');
  if (known && words !== '') {
    return DeskbusError.of(known.name, words, { action: known.action, retryable: false });
  }
  const why = await whyNotStarted(options, child);
  return DeskbusError.of('unavailable', words === '' ? why : `${why} Its last words: ${words}`, {
    action:
      'Mend what it says; `deskbus doctor` looks at this machine, and the option "log" gets all lines.',
    retryable: false,
  });
}
