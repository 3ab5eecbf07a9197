// The worker of one origin: it has the WebSocket that all of the origin's pages share, and keeps it
// over reloads.
import { DeskbusError } from '../common/error';
import { SocketPool, type Socket } from './socket-pool';
import { Tab } from './tab';
import {
  BUS_PATH,
  CSRF_HEADER,
  PROOF_HEADER,
  TICKET_PATH,
  type PageWord,
  type WorkerWord,
} from './words';

interface ConnectEvent {
  readonly ports: readonly MessagePort[];
}

const scope = globalThis as unknown as {
  location: Location;
  onconnect: ((event: ConnectEvent) => void) | null;
};

const busUrl = `${scope.location.origin.replace(/^http/, 'ws')}${BUS_PATH}`;
const pool = new SocketPool(busUrl, (url) => new WebSocket(url) as unknown as Socket);
const tabs = new Map<string, Tab>();

/** The newest page's, for every page has the same session. */
let credentials = { csrf: '', proof: '' };

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
  credentials = { csrf, proof };
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
    ticket: () => ticketFor(name),
    ended: () => {
      if (tabs.get(name) === tab) tabs.delete(name);
    },
  });
  return tab;
}

async function ticketFor(client: string): Promise<{ ticket: string; pipe: string }> {
  let response: Response;
  try {
    response = await fetch(TICKET_PATH, {
      method: 'POST',
      body: JSON.stringify({ client }),
      headers: {
        'content-type': 'application/json',
        [CSRF_HEADER]: credentials.csrf,
        [PROOF_HEADER]: credentials.proof,
      },
    });
  } catch {
    throw DeskbusError.of('unavailable', 'The gateway does not answer.');
  }
  const answer = (await response.json()) as { ticket: string; csrf: string; error?: unknown };
  if (answer.error !== undefined) throw DeskbusError.from(answer.error);
  credentials = { ...credentials, csrf: answer.csrf };
  return { ticket: answer.ticket, pipe: busUrl };
}
