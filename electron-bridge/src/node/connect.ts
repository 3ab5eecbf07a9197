import { dial } from './link/dial';
import { handedOver } from './link/badge';
import { Client, type ClientOptions } from './client';
import type { Ticket } from './connection';

interface ConnectTarget extends Pick<
  ClientOptions,
  'whileClosed' | 'heartbeat' | 'retry' | 'batch'
> {
  /** The path of the backend's pipe. */
  pipe: string;
  /** The id of the app that connects. */
  app: string;
}

interface WithTicket extends ConnectTarget {
  /** Works once: after a loss the client resumes its session, within the backend's grace. */
  ticket: string;
}

interface WithProvider extends ConnectTarget {
  /** Called for each session; lets the client come back even when the backend has forgotten it. */
  ticketProvider: () => Promise<string | Ticket>;
}

export type ConnectOptions = WithTicket | WithProvider;

/** Connects to the backend's pipe and opens the app's session; rejects with `DeskbusError`. */
export async function connect(options: ConnectOptions): Promise<Client> {
  const { pipe, app, whileClosed, heartbeat, retry, batch } = options;
  const renewable = 'ticketProvider' in options;
  const client = new Client({
    dial,
    app,
    renewable,
    ...(whileClosed ? { whileClosed } : {}),
    ...(heartbeat ? { heartbeat } : {}),
    ...(retry ? { retry } : {}),
    ...(batch ? { batch } : {}),
    ticketProvider: async () => {
      const ticket = renewable ? await options.ticketProvider() : options.ticket;
      return typeof ticket === 'string' ? { ticket, pipe } : ticket;
    },
  });
  await client.open();
  return client;
}

/**
 * Connects a process that the backend spawned: its pipe and app are in the environment, its
 * ticket comes through an inherited descriptor and so is in no list of processes. `runAsApp` does
 * more: it tells that the app is ready and lives, and ends when the backend says so.
 */
export async function connectAsApp(): Promise<Client> {
  return connect(await handedOver());
}
