import type {
  BrowserWindowConstructorOptions,
  Session,
  WebContents,
  WebPreferences,
} from 'electron';

const locked = new WeakSet<Session>();

/** The web preferences of every window here; `enableRemoteModule` was dropped in Electron 14. */
export function lockedPreferences(preload: string, partition: string): WebPreferences {
  const preferences: WebPreferences & { enableRemoteModule: boolean } = {
    preload,
    partition,
    contextIsolation: true,
    sandbox: true,
    nodeIntegration: false,
    nodeIntegrationInWorker: false,
    nodeIntegrationInSubFrames: false,
    webviewTag: false,
    webSecurity: true,
    allowRunningInsecureContent: false,
    experimentalFeatures: false,
    navigateOnDragDrop: false,
    spellcheck: false,
    enableRemoteModule: false,
  };
  return preferences;
}

export const WINDOW_LOOK: BrowserWindowConstructorOptions = {
  show: false,
  autoHideMenuBar: true,
  // What is seen before the first paint; white would flash.
  backgroundColor: '#0f1419',
};

/** Denies every Chromium permission and every download. */
export function lockSession(session: Session): void {
  if (locked.has(session)) return;
  locked.add(session);
  session.setPermissionRequestHandler((_contents, _permission, callback) => callback(false));
  session.setPermissionCheckHandler(() => false);
  const since15: Partial<Pick<Session, 'setDevicePermissionHandler'>> = session;
  since15.setDevicePermissionHandler?.call(session, () => false);
  // Else it fetches dictionaries over the network.
  const spelling: Partial<Pick<Session, 'setSpellCheckerLanguages' | 'setSpellCheckerEnabled'>> =
    session;
  spelling.setSpellCheckerLanguages?.call(session, []);
  spelling.setSpellCheckerEnabled?.call(session, false);
  session.on('will-download', (event) => event.preventDefault());
}

/** Keeps the window in the document at `home`: no way elsewhere, no new windows, no webviews. */
export function lockContents(contents: WebContents, home: string): void {
  lockSession(contents.session);
  contents.on('will-navigate', (event, url) => {
    if (withoutHash(url) !== withoutHash(contents.getURL() || home)) event.preventDefault();
  });
  contents.on('will-redirect', (event, url, _inPlace, isMainFrame) => {
    if (isMainFrame && new URL(url).origin !== new URL(home).origin) {
      event.preventDefault();
    }
  });
  contents.on('will-attach-webview', (event) => event.preventDefault());
  const since12: Partial<Pick<WebContents, 'setWindowOpenHandler'>> = contents;
  if (since12.setWindowOpenHandler) {
    contents.setWindowOpenHandler(() => ({ action: 'deny' }));
  } else {
    contents.on('new-window' as 'will-attach-webview', (event) => event.preventDefault());
  }
}

function withoutHash(url: string): string {
  return url.split('#', 1)[0] ?? url;
}
