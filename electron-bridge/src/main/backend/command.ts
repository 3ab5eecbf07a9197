import { execFile } from 'child_process';
import { existsSync } from 'fs';
import { basename, dirname, join, resolve } from 'path';

export interface Command {
  file: string;
  /** Arguments before `serve`. */
  args: string[];
}

interface CommandOptions {
  command?: string | undefined;
  args?: string[] | undefined;
}

const IS_WINDOWS = process.platform === 'win32';
const PYTHON = IS_WINDOWS ? 'python' : 'python3';
/** A bundle's command. On Windows that is a batch file, which only a shell can run, so this is its Python. */
const BUNDLED = join('backend', IS_WINDOWS ? 'python.exe' : 'deskbus');

/**
 * Isolated: of the working folder, the user's site-packages and PYTHON* variables nothing is imported.
 * An app that may write files somewhere could otherwise plant a module there.
 */
const ISOLATED = '-I';
const PROBE_LIMIT_MS = 5_000;

/** The backend that was bundled with the app, else a Python in which deskbus is installed. */
export function backendCommand(options: CommandOptions, resources: string | undefined): Command {
  const bundled = resources === undefined ? '' : join(resources, BUNDLED);
  const named = options.command ?? (existsSync(bundled) ? bundled : PYTHON);
  // The backend runs in another folder than this process; what is looked up on PATH has no folder.
  const file = basename(named) === named ? named : resolve(named);
  if (!isPython(file)) return { file, args: options.args ?? [] };
  return { file, args: [ISOLATED, ...(options.args ?? ['-m', 'deskbus'])] };
}

/** A folder in which no app may write, so that no program or library is found there by accident. */
export function backendFolder(): string {
  return dirname(process.execPath);
}

/** `inherited` without what redirects a Python, also one that a script or a bundle starts. */
export function backendEnvironment(
  inherited: NodeJS.ProcessEnv,
  added: Record<string, string>,
): NodeJS.ProcessEnv {
  const kept = Object.entries(inherited).filter(([name]) => !/^PYTHON/i.test(name));
  return {
    ...Object.fromEntries(kept),
    PYTHONNOUSERSITE: '1',
    PYTHONSAFEPATH: '1',
    ...added,
  };
}

/** Whether this is a Python that has no deskbus of its own, outside the user's site-packages. */
export async function lacksDeskbus({ file }: Command, env: NodeJS.ProcessEnv): Promise<boolean> {
  if (!isPython(file)) return false;
  const probe = 'import sys, importlib.util as u; sys.exit(0 if u.find_spec("deskbus") else 3)';
  const options = { cwd: backendFolder(), env, timeout: PROBE_LIMIT_MS, windowsHide: true };
  return new Promise((answer) => {
    execFile(file, [ISOLATED, '-c', probe], options, (error) => {
      answer((error as { code?: unknown } | null)?.code === 3);
    });
  });
}

function isPython(file: string): boolean {
  return /^python[\d.]*(\.exe)?$/i.test(basename(file));
}
