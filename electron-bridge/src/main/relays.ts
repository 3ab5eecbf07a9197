import type { WebContents } from 'electron';
import { Client } from '../node/client';
import { dial } from '../node/link/dial';
import type { Ticket } from '../node/connection';
import { Channel } from '../ipc/page-lines';
import { BRIDGE_STEPS, Relay } from '../relay/relay';
import { pageIpc } from './ipc';

/** One window's connection to the bus, and its page's way there. */
export interface WindowRelay {
  /** Resolves when the connection stands; rejects with `DeskbusError`. */
  readonly opened: Promise<void>;
  /** The page is gone, and its subscriptions with it. */
  dropPage(): void;
  close(): Promise<void>;
}

/** The place where windows are connected: this process, or one of its own. */
export interface Relays {
  /** Arguments of the renderer processes. */
  readonly arguments: readonly string[];
  open(app: string, contents: WebContents, mintTicket: () => Promise<Ticket>): WindowRelay;
  /** Ends what is left. */
  close(): void;
}

/** Windows are connected in main itself: Electron's IPC carries their lines. */
export class RelaysInMain implements Relays {
  readonly arguments = [];

  open(app: string, contents: WebContents, mintTicket: () => Promise<Ticket>): WindowRelay {
    const client = new Client({
      dial,
      app,
      ticketProvider: mintTicket,
      renewable: true,
      onMessageLine: (line) => relay.message(line),
      stepPrefix: BRIDGE_STEPS,
    });
    const send = (text: string): void => {
      if (!contents.isDestroyed()) contents.send(Channel.lines, text);
    };
    const relay = new Relay(send, client);
    pageIpc.add(contents, relay);
    const opened = client.open();
    opened.catch(() => undefined);
    return { opened, dropPage: () => relay.dropPage(), close: () => client.close() };
  }

  close(): void {
    // Connections end with their windows.
  }
}
