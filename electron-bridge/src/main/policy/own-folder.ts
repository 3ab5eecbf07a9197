import { promises as fs } from 'fs';
import { dirname, sep } from 'path';
import { fileURLToPath } from 'url';
import { parsed } from './origins';

/** Says whether addresses are of files in a folder; links that lead out of it don't count. */
export class OwnFolder {
  private real: Promise<string> | undefined;

  constructor(private readonly folder: string) {}

  /** The folder that a page is in; none for a page of the network. */
  static of(page: string): OwnFolder | undefined {
    const path = pathOf(page);
    return path === undefined ? undefined : new OwnFolder(dirname(path));
  }

  async has(address: string): Promise<boolean> {
    const path = pathOf(address);
    if (path === undefined) return false;
    try {
      this.real ??= fs.realpath(this.folder);
      const [folder, file] = await Promise.all([this.real, fs.realpath(path)]);
      return file.startsWith(folder.endsWith(sep) ? folder : folder + sep);
    } catch {
      return false;
    }
  }
}

/** The path of a file address of this machine; none for any other. */
export function pathOf(address: string): string | undefined {
  const url = parsed(address);
  // A host is a share of another machine, and Windows would send it the user's credentials.
  if (url?.protocol !== 'file:' || url.host !== '') return undefined;
  try {
    return fileURLToPath(url);
  } catch {
    return undefined;
  }
}
