import { existsSync } from 'fs';
import { basename, join } from 'path';

export interface Command {
  file: string;
  /** What comes before `serve`. */
  args: string[];
}

interface CommandOptions {
  command?: string | undefined;
  args?: string[] | undefined;
}

const IS_WINDOWS = process.platform === 'win32';
const PYTHON = IS_WINDOWS ? 'python' : 'python3';
const BUNDLED = join('backend', IS_WINDOWS ? 'deskbus.exe' : 'deskbus');

/** The backend that was bundled with the app, else the user's Python with deskbus installed. */
export function backendCommand(options: CommandOptions, resources: string | undefined): Command {
  const bundled = resources === undefined ? '' : join(resources, BUNDLED);
  const file = options.command ?? (existsSync(bundled) ? bundled : PYTHON);
  return { file, args: options.args ?? (isPython(file) ? ['-m', 'deskbus'] : []) };
}

function isPython(file: string): boolean {
  return /^python[\d.]*(\.exe)?$/i.test(basename(file));
}
