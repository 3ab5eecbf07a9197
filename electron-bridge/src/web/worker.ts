// The worker of one origin: it has the WebSocket that all of the origin's pages share, and keeps it
// over reloads.
import { SocketPool, type Socket } from './socket-pool';
import { Tab } from './tab';
import { TicketOffice } from './tickets';
import type { PageWord, WorkerWord } from './words';

interface ConnectEvent {
  readonly ports: readonly MessagePort[];
}

const scope = globalThis as unknown as {
  location: Location;
  onconnect: ((event: ConnectEvent) => void) | null;
};

const office = new TicketOffice(scope.location.origin);
const pool = new SocketPool(office.busUrl, (url) => new WebSocket(url) as unknown as Socket);
const tabs = new Map<string, Tab>();

scope.onconnect = ({ ports: [port] }) => {
  if (port) attend(port);
};

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

function begin(port: MessagePort, word: PageWord & { kind: 'begin' }): Tab | undefined {
  const { tab: name, app, csrf, proof, page } = word;
  // The newest page's, for every page has the same session.
  office.credentials = { csrf, proof };
  const known = tabs.get(name);
  if (known?.isTaken) {
    const occupied: WorkerWord = { kind: 'occupied' };
    port.postMessage(occupied);
    return undefined;
  }
  const tab = known && !known.isOver ? known : newTab(name, app);
  tabs.set(name, tab);
  tab.begin(port, page);
  return tab;
}

function newTab(name: string, app: string): Tab {
  const tab = new Tab(app, {
    dial: (_address, hooks, onHeard) => pool.dial(hooks, onHeard),
    ticket: () => office.ticketFor(name),
    ended: () => {
      if (tabs.get(name) === tab) tabs.delete(name);
    },
  });
  return tab;
}
