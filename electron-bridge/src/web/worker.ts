// The worker of one origin: it has the WebSocket that all of the origin's pages share, and keeps it
// over reloads. Where a browser has no SharedWorker, a page runs this itself, for itself.
import { SocketPool, type Socket } from '../node/link/socket-pool';
import { Tab } from './tab';
import { TicketOffice } from './tickets';
import type { BeginWord, PageWord, WorkerWord } from './words';

interface ConnectEvent {
  readonly ports: readonly MessagePort[];
}

const scope = globalThis as unknown as {
  location: Location;
  document?: Document;
  onconnect: ((event: ConnectEvent) => void) | null;
};

const office = new TicketOffice(scope.location.origin);
const pool = new SocketPool(office.busUrl, (url) => new WebSocket(url) as unknown as Socket);
const tabs = new Map<string, Tab>();

const connected = ({ ports: [port] }: ConnectEvent): void => {
  if (port) attend(port);
};
const script = scope.document?.currentScript;
if (script) script.addEventListener('connect', (event) => connected(event as MessageEvent));
else scope.onconnect = connected;

function attend(port: MessagePort): void {
  let tab: Tab | undefined;
  const leave = (): void => tab?.leave(port);
  port.onmessage = ({ data }: MessageEvent<PageWord>) => {
    switch (data.kind) {
      case 'begin':
        tab = begin(port, data);
        break;
      case 'lines':
        void tab?.lines(port, data.text);
        break;
      case 'taken':
        tab?.taken(port, data.characters);
        break;
      case 'settled':
        void tab?.settled(port);
        break;
      case 'leave':
        leave();
        break;
      default:
    }
  };
  // A page that crashed says nothing; newer browsers tell.
  port.addEventListener('close', leave);
}

function begin(port: MessagePort, word: BeginWord): Tab | undefined {
  const { tab: name, app, csrf, proof, page } = word;
  // The newest page's, for every page has the same session.
  office.credentials = { csrf, proof };
  const known = tabs.get(name);
  if (known?.isTaken) {
    const occupied: WorkerWord = { kind: 'occupied' };
    port.postMessage(occupied);
    return undefined;
  }
  const tab = known && !known.isOver ? known : newTab(name, app, word.takenSeqs);
  tabs.set(name, tab);
  tab.begin(port, page);
  return tab;
}

function newTab(name: string, app: string, takenSeqs?: Record<string, number>): Tab {
  const tab = new Tab(app, {
    ...(takenSeqs ? { takenSeqs } : {}),
    dial: (_address, hooks, onHeard) => pool.dial(hooks, onHeard),
    ticket: () => office.ticketFor(name),
    ended: () => {
      if (tabs.get(name) === tab) tabs.delete(name);
    },
  });
  return tab;
}
