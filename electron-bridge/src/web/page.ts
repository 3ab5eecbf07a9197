// This script runs before all others in a page that the gateway serves: it makes `window.deskbus`.
import { PageBus } from '../page/bus';
import type { Pipe } from '../page/link';
import { apiOf } from '../page/api-facade';
import { hostPipe } from './host-pipe';
import { forgetTabName, tabName, told } from './tab-name';
import { ResumePositions } from './resume-positions';
import { invite } from './invitation';
import { PROOF, WORKER_PATH, type PageWord, type WorkerWord } from './words';

interface TrustedPolicies {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): string };
}

const hasSharedWorker = typeof SharedWorker !== 'undefined';

const home = told('home');
if (home === '') begin();
else welcome(told('proof'));

/** The page that answers a pairing code: keeps the proof where this origin alone reads it. */
function welcome(proof: string): void {
  localStorage.setItem(PROOF, proof);
  location.replace(home);
}

function begin(): void {
  const app = told('app');
  const hosts = told('hosts').split(' ').filter(Boolean);
  const isFramed = window.parent !== window;
  if (app === '' || (isFramed && hosts.length === 0)) return;
  const client = isFramed ? '' : tabName(hasSharedWorker);
  const pipe = isFramed ? hostPipe(hosts) : workerPipe(app, client);
  const value = apiOf(new PageBus(app, client, pipe));
  Object.defineProperty(window, 'deskbus', { value, enumerable: true });
  if (!isFramed) invite();
}

/** The lines of a page, to the worker that all pages of its origin share, or to one of its own. */
function workerPipe(app: string, tab: string): Pipe {
  const port = hasSharedWorker
    ? new SharedWorker(trusted(WORKER_PATH), workerOptions()).port
    : ownWorker();
  const say = (word: PageWord): void => port.postMessage(word);
  const page = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
  const positions = hasSharedWorker ? undefined : new ResumePositions();
  let listener: (text: string) => void = () => undefined;
  port.onmessage = ({ data }: MessageEvent<WorkerWord>) => {
    if (data.kind === 'occupied') {
      // The tab was duplicated, and its storage with it.
      forgetTabName();
      location.reload();
      return;
    }
    try {
      listener(data.text);
      positions?.note(data.text);
    } finally {
      say({ kind: 'taken', characters: data.text.length });
    }
  };
  say({
    kind: 'begin',
    tab,
    page,
    app,
    csrf: told('csrf'),
    proof: localStorage.getItem(PROOF) ?? '',
    ...(positions ? { takenSeqs: positions.before() } : {}),
  });
  window.addEventListener('load', () => setTimeout(() => say({ kind: 'settled' })));
  window.addEventListener('pagehide', () => {
    say({ kind: 'leave' });
    positions?.keep();
  });
  window.addEventListener('pageshow', ({ persisted }) => {
    if (persisted) location.reload();
  });
  return {
    send: (text) => say({ kind: 'lines', text }),
    listen: (take) => {
      listener = take;
    },
  };
}

/** Keeps the worker while its only page reloads, where a browser can. */
function workerOptions(): WorkerOptions {
  return { name: 'deskbus', extendedLifetime: true } as WorkerOptions;
}

/** The worker's script, in this page: a reload ends it, and the next page takes its client up. */
function ownWorker(): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const script = document.createElement('script');
  script.src = trusted(WORKER_PATH);
  script.addEventListener('load', () => {
    script.dispatchEvent(new MessageEvent('connect', { ports: [port2] }));
  });
  document.head.append(script);
  return port1;
}

/** Trusted Types want it said that the worker is our own. */
function trusted(url: string): string {
  const { trustedTypes } = window as { trustedTypes?: TrustedPolicies };
  if (!trustedTypes) return url;
  const policy = trustedTypes.createPolicy('deskbus', {
    createScriptURL(wanted) {
      if (wanted !== WORKER_PATH) throw new TypeError('This is not the worker.');
      return wanted;
    },
  });
  return policy.createScriptURL(url);
}
