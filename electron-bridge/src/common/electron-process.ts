/**
 * Throws, in words, where the entry of this package that was loaded has no place: in plain Node, or
 * in another of Electron's processes. `member` is what Electron has in the right one alone.
 */
export function needElectron(member: 'app' | 'contextBridge', advice: string): void {
  let electron: unknown;
  try {
    // An import would fail before anything here could say why.
    // eslint-disable-next-line @typescript-eslint/no-require-imports
    electron = require('electron');
  } catch {
    electron = undefined;
  }
  const found = (electron as Record<string, unknown> | undefined)?.[member];
  if (found === undefined) throw new Error(advice);
}
