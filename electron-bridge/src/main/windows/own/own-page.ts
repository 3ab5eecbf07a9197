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
export function ownPagePath(name: string): string {
  return join(RENDERER, spoken().code, `${name}.html`);
}

/** `name` is that of the page and of its preload script. */
export function openOwnPage(name: string, options: BrowserWindowConstructorOptions): OwnPage {
  const page = ownPagePath(name);
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
