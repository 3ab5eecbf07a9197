import {
  desktopCapturer,
  type BrowserWindowConstructorOptions,
  type Session,
  type Streams,
  type WebContents,
  type WebPreferences,
} from 'electron';
import { OwnFolder } from './own-folder';
import { isReport } from './page-headers';
import { isExternal, nothingBut, type AskDetails, type SessionPolicy } from './session-policy';

const guarded = new WeakSet<Session>();

/**
 * `execCommand` copies, cuts and pastes without asking anybody, and Electron has no preference for
 * it. Frames obey the switch too; a person's own keys and menus are not held by it.
 */
const NO_CLIPBOARD = '--blink-settings=dOMPasteAllowed=false,javaScriptCanAccessClipboard=false';

const FROM_DISK = { urls: ['file:///*'] };

/**
 * The web preferences of every window here; `words` are told to the preload script.
 * `enableRemoteModule` was dropped in Electron 14.
 */
export function lockedPreferences(
  preload: string,
  partition: string,
  words: string[] = [],
): WebPreferences {
  const preferences: WebPreferences & { enableRemoteModule: boolean } = {
    preload,
    partition,
    additionalArguments: [NO_CLIPBOARD, ...words],
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
};

/** That of the bridge's own windows, whose dark pages would else flash in white. */
export const OWN_LOOK: BrowserWindowConstructorOptions = {
  ...WINDOW_LOOK,
  backgroundColor: '#0f1419',
};

/** Lets the session's pages do what `policy` says, and nothing that it does not know of. */
export function guardSession(session: Session, policy: SessionPolicy): void {
  if (guarded.has(session)) return;
  guarded.add(session);
  session.setPermissionRequestHandler((contents, permission, callback, details) => {
    settle(policy.asks(contents, permission, details), callback);
  });
  session.setPermissionCheckHandler((_contents, permission, origin, details) =>
    policy.has(permission, urlOf(details) ?? origin, details),
  );
  guardDevices(session, policy);
  session.webRequest.onBeforeRequest((details, callback) => {
    const { url, resourceType } = details;
    if (isReport(url)) {
      // First of all: a page waits for ever for a request that is not answered.
      callback({ cancel: true });
      policy.reported(details.uploadData);
      return;
    }
    settle(policy.mayLoad({ url, resourceType }), (may) => callback({ cancel: !may }));
  });
  session.webRequest.onHeadersReceived(FROM_DISK, ({ resourceType, responseHeaders }, callback) => {
    // A page in a frame has no bus and is of no origin; in a sandbox it could load no script.
    if (resourceType !== 'mainFrame') {
      callback({});
      return;
    }
    policy.pageHeaders().then(
      (headers) => callback({ responseHeaders: { ...responseHeaders, ...headers } }),
      () => callback({ cancel: true }),
    );
  });
  session.on('will-download', (event, item) => {
    if (!policy.mayDownload([item.getURL(), ...item.getURLChain()])) event.preventDefault();
  });
  // Else it fetches dictionaries over the network.
  const spelling: Partial<Pick<Session, 'setSpellCheckerLanguages' | 'setSpellCheckerEnabled'>> =
    session;
  spelling.setSpellCheckerLanguages?.call(session, []);
  spelling.setSpellCheckerEnabled?.call(session, false);
}

/** Guards devices where Electron has them; Electron 9 does not, and there none of them works. */
function guardDevices(session: Session, policy: SessionPolicy): void {
  const since15: Partial<Pick<Session, 'setDevicePermissionHandler'>> = session;
  since15.setDevicePermissionHandler?.call(session, ({ deviceType, origin }) =>
    policy.hasDevice(deviceType, origin),
  );
  const since17: Partial<Pick<Session, 'setDisplayMediaRequestHandler'>> = session;
  since17.setDisplayMediaRequestHandler?.call(session, (request, callback) => {
    settle(policy.mayCapture(request.frame?.url ?? request.securityOrigin), (may) => {
      void (may ? firstScreen() : Promise.resolve({})).then(callback, () => callback({}));
    });
  });
}

async function firstScreen(): Promise<Streams> {
  const [video] = await desktopCapturer.getSources({ types: ['screen'] });
  return video ? { video } : {};
}

function settle(decision: Promise<boolean>, tell: (may: boolean) => void): void {
  decision.then(tell, () => tell(false));
}

function urlOf(details: unknown): string | undefined {
  const { requestingUrl } = (details ?? {}) as AskDetails;
  return requestingUrl === '' ? undefined : requestingUrl;
}

/** Keeps the window in the document at `home`: no way elsewhere, no new windows, no webviews. */
export function lockContents(contents: WebContents, home: string, policy?: SessionPolicy): void {
  guardSession(contents.session, policy ?? ownPagesOnly(home));
  // Media over UDP to anybody would pass by every filter.
  contents.setWebRTCIPHandlingPolicy('disable_non_proxied_udp');
  contents.on('will-navigate', (event, url) => {
    // A link for another program goes on to the question whether it may be opened.
    const stays = withoutHash(url) === withoutHash(contents.getURL() || home);
    if (!stays && !isExternal(url)) event.preventDefault();
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

/** The bridge's own pages need what lies beside the folder of their language, and nothing else. */
function ownPagesOnly(home: string): SessionPolicy {
  const folder = OwnFolder.of(new URL('.', home).href.slice(0, -1));
  return nothingBut(async ({ url }) => (await folder?.has(url)) ?? false);
}

function withoutHash(url: string): string {
  return url.split('#', 1)[0] ?? url;
}
