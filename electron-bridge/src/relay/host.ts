import { Client } from '../node/client';
import { dial } from '../node/link/dial';
import type { Ticket } from '../node/connection';
import { asDeskbusError, asFailure, DeskbusError, type Failure } from '../common/error';
import type { PortWord } from '../ipc/page-lines';
import { BRIDGE_STEPS, Relay } from './relay';

/** As much of a MessagePort as is used: Electron's, or one of Node's worker threads. */
export interface Port {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  start(): void;
  close(): void;
}

/** Words of main, which knows the windows and gets their tickets. */
export type MainWord =
  | { open: number; app: string }
  /** A page of the window began; its port comes with it. */
  | { page: number; token: string }
  | { drop: number }
  | { close: number }
  | { ticket: number; value: Ticket }
  | { ticket: number; error: Failure };

/** Words of the process of relays. */
export type HostWord =
  { opened: number } | { failed: number; error: Failure } | { wants: number; window: number };

interface Open {
  readonly client: Client;
  readonly relay: Relay;
  port?: Port;
}

interface Waiting {
  resolve(ticket: Ticket): void;
  reject(error: DeskbusError): void;
}

/**
 * The relays of all windows, in a process of their own: it owns the pipes, and has a port to each
 * page. Main says which windows there are, gets their tickets, and hands a port to nobody but the top
 * frame of a window; who holds the port is that window on the bus.
 */
export class RelayHost {
  private readonly windows = new Map<number, Open>();
  private readonly tickets = new Map<number, Waiting>();
  private lastTicket = 0;

  constructor(private readonly tell: (word: HostWord) => void) {}

  /** Takes a word of main, with the port that came with it. */
  hear(word: MainWord, port?: Port): void {
    if ('open' in word) this.open(word.open, word.app);
    else if ('page' in word && port) this.begin(word.page, word.token, port);
    else if ('drop' in word) this.drop(word.drop);
    else if ('close' in word) this.close(word.close);
    else if ('ticket' in word) this.settle(word);
  }

  private open(id: number, app: string): void {
    const client = new Client({
      dial,
      app,
      renewable: true,
      ticketProvider: () => this.ticket(id),
      onMessageLine: (line) => relay.message(line),
      stepPrefix: BRIDGE_STEPS,
    });
    const window: Open = {
      client,
      relay: new Relay((text) => window.port?.postMessage(text), client),
    };
    const { relay } = window;
    this.windows.set(id, window);
    client.open().then(
      () => this.tell({ opened: id }),
      (error: unknown) => {
        this.windows.delete(id);
        window.port?.close();
        this.tell({ failed: id, error: asFailure(asDeskbusError(error)) });
      },
    );
  }

  /** Connects the window's next page; the one before is gone. */
  private begin(id: number, token: string, port: Port): void {
    const window = this.windows.get(id);
    if (!window) {
      port.close();
      return;
    }
    window.port?.close();
    window.port = port;
    window.relay.ready(token);
    port.on('message', (message) => {
      if (window.port !== port || !Array.isArray(message)) return;
      const [word, page, value] = message as PortWord | unknown[];
      if (page !== token) return;
      if (word === 'lines' && typeof value === 'string') window.relay.lines(token, value);
      if (word === 'taken' && typeof value === 'number' && value >= 0) {
        window.relay.taken(token, value);
      }
    });
    port.start();
  }

  private drop(id: number): void {
    const window = this.windows.get(id);
    if (!window) return;
    window.relay.dropPage();
    window.port?.close();
    delete window.port;
  }

  private close(id: number): void {
    const window = this.windows.get(id);
    if (!window) return;
    this.drop(id);
    this.windows.delete(id);
    void window.client.close();
  }

  private ticket(window: number): Promise<Ticket> {
    return new Promise((resolve, reject) => {
      const wants = ++this.lastTicket;
      this.tickets.set(wants, { resolve, reject });
      this.tell({ wants, window });
    });
  }

  private settle(word: Extract<MainWord, { ticket: number }>): void {
    const waiter = this.tickets.get(word.ticket);
    this.tickets.delete(word.ticket);
    if ('error' in word) waiter?.reject(DeskbusError.fromFailure(word.error));
    else waiter?.resolve(word.value);
  }
}
