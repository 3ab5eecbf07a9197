// The preload script of app windows: carries text between the page and main, and lets the page's own
// world make `window.deskbus` out of that, and `window.fdc3` where FDC3 is on.
import './only-in-preload';
import { contextBridge, ipcRenderer, webFrame } from 'electron';
import {
  APP_ARGUMENT,
  Channel,
  CLIENT_ARGUMENT,
  FDC3_ARGUMENT,
  PORT_ARGUMENT,
} from '../ipc/page-lines';
import { throwLater } from '../common/uncaught';
import type { Bridge } from '../page/window-deskbus';
import { overIpc, overPort } from './carriers';

/** src/page as one script, without FDC3 and with it; the build puts them here. */
declare const PAGE_SCRIPT: string;
declare const PAGE_SCRIPT_WITH_FDC3: string;

// A page speaks under a token of its own, so that what an earlier page of this window left behind is
// told apart from it.
const token = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
let listener: (text: string) => void = () => undefined;
const carry = process.argv.includes(PORT_ARGUMENT) ? overPort : overIpc;
const send = carry(token, (text) => listener(text));

function argument(prefix: string): string {
  const found = process.argv.filter((word) => word.startsWith(prefix)).pop();
  return found?.slice(prefix.length) ?? '';
}

/** Calls `then` once the document has its element, of which there is none yet. */
function onDocument(then: () => void): void {
  const observer = new MutationObserver(() => {
    observer.disconnect();
    then();
  });
  observer.observe(document, { childList: true });
}

const bridge: Bridge = {
  app: argument(APP_ARGUMENT),
  client: argument(CLIENT_ARGUMENT),
  fdc3: argument(FDC3_ARGUMENT),
  send,
  listen: (one) => {
    listener = one;
  },
};

ipcRenderer.send(Channel.page, token);
onDocument(() => ipcRenderer.send(Channel.ready, token));
contextBridge.exposeInMainWorld('deskbusBridge', bridge);
// Runs at once, before any script of the page.
const script = argument(FDC3_ARGUMENT) === '' ? PAGE_SCRIPT : PAGE_SCRIPT_WITH_FDC3;
webFrame.executeJavaScript(script).catch(throwLater);
