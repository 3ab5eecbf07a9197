import { join } from 'path';
import { pathToFileURL } from 'url';
import { BrowserWindow, type BrowserWindowConstructorOptions } from 'electron';
import { spoken } from '../../languages';
import { lockContents, lockedPreferences, OWN_LOOK } from '../../policy/lockdown';
import { TopFrame } from './top-frame';

const RENDERER = join(__dirname, '..', 'renderer');
const PRELOADS = join(__dirname, '..', 'preload');

/** A window with a page of the bridge's own, in a session that nothing else uses. */
export interface OwnPage {
  window: BrowserWindow;
  frame: TopFrame;
  loaded: Promise<void>;
}

/** The file of a page, in the person's language. */
function pathOf(name: string): string {
  return join(RENDERER, spoken().code, `${name}.html`);
}

/** The look of a dialog: as large as what it says, over all else until it is answered. */
export const DIALOG_LOOK: BrowserWindowConstructorOptions = {
  useContentSize: true,
  resizable: false,
  minimizable: false,
  maximizable: false,
  fullscreenable: false,
  alwaysOnTop: true,
};

/** `name` is that of the page and of its preload script. */
export function openOwnPage(name: string, options: BrowserWindowConstructorOptions): OwnPage {
  const page = pathOf(name);
  const window = new BrowserWindow({
    ...OWN_LOOK,
    ...options,
    webPreferences: lockedPreferences(join(PRELOADS, `${name}.js`), `deskbus-${name}`),
  });
  window.removeMenu();
  window.on('page-title-updated', (event) => event.preventDefault());
  lockContents(window.webContents, pathToFileURL(page).href);
  return { window, frame: new TopFrame(window.webContents), loaded: window.loadFile(page) };
}

/** Calls `lost` when the process that draws the page dies, or the page can't be loaded. */
export function onPageLost({ window: { webContents }, loaded }: OwnPage, lost: () => void): void {
  webContents.on('render-process-gone', lost);
  // The name of it before Electron 11.
  webContents.on('crashed' as 'render-process-gone', lost);
  loaded.catch(lost);
}
