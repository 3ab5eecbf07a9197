import type { UtilityProcess } from 'electron';
import { MAX_OUTPUT_CHARACTERS } from '../../generated/constants';
import type { ForkedUtility, ForkUtilityParams } from '../../generated/protocol';
import { DeskbusError } from '../../common/error';
import type { Backend } from './backend';

/** Electron's `utilityProcess.fork`, which is there since Electron 22. */
export type Fork = (
  entry: string,
  args: string[],
  options: {
    env: Record<string, string>;
    stdio: ['ignore', 'pipe', 'pipe'];
    serviceName: string;
    cwd?: string;
  },
) => UtilityProcess;

/** Utility processes: only Electron's main process can fork them, the backend tells when. */
export class Utilities {
  private readonly running = new Map<string, UtilityProcess>();

  constructor(
    private readonly backend: Pick<Backend, 'handle' | 'notify' | 'on' | 'onNotice'>,
    private readonly fork: Fork | undefined,
  ) {
    backend.handle('apps.forkUtility', (params) => this.start(params as ForkUtilityParams));
    backend.onNotice('apps.killUtility', (params) => {
      const { run } = params as { run?: unknown };
      if (typeof run === 'string') this.running.get(run)?.kill();
    });
    // Nobody is left who would end them.
    backend.on('down', () => this.endAll());
  }

  endAll(): void {
    for (const child of this.running.values()) child.kill();
  }

  private start(params: ForkUtilityParams): Promise<ForkedUtility> {
    const { app, run, entry, args = [], cwd = '', env = {}, pipe, ticket } = params;
    if (!this.fork) {
      throw DeskbusError.of(
        'unavailable',
        `Utility processes need Electron 22 or later; this is ${versionOf()}.`,
        { action: 'Use the kind "node", or a newer Electron.', retryable: false },
      );
    }
    const child = this.fork(entry, args, {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      serviceName: app,
      ...(cwd === '' ? {} : { cwd }),
    });
    this.running.set(run, child);
    for (const output of [child.stdout, child.stderr]) {
      output?.on('data', (chunk: Buffer) => this.wrote(run, chunk.toString('utf8')));
    }
    // Never in its arguments or environment, where every program of this user could read it.
    child.postMessage({ app, pipe, ticket });
    return new Promise((resolve, reject) => {
      child.once('spawn', () => resolve({ pid: child.pid ?? 0 }));
      child.once('exit', (exitCode) => {
        this.running.delete(run);
        this.backend.notify('apps.utilityExited', { run, exitCode });
        reject(DeskbusError.of('unavailable', 'The utility process ended while it started.'));
      });
    });
  }

  private wrote(run: string, text: string): void {
    for (let at = 0; at < text.length; at += MAX_OUTPUT_CHARACTERS) {
      const part = text.slice(at, at + MAX_OUTPUT_CHARACTERS);
      this.backend.notify('apps.utilityOutput', { run, text: part });
    }
  }
}

function versionOf(): string {
  const { electron } = process.versions as Partial<Record<string, string>>;
  return electron ?? 'no Electron';
}
