import { dial } from './link/dial';
import { dialSite } from './link/dial-site';
import { handedCredentials } from './link/handed-credentials';
import { Client, type ClientOptions } from './client';
import { DeskbusError } from '../common/error';
import { Codec, type Encoding } from './link/codec';
import type { Ticket } from './connection';

interface Who extends Pick<ClientOptions, 'whileClosed' | 'heartbeat' | 'retry' | 'batch'> {
  /** The id of the app that connects. */
  app: string;
}

interface OverPipe extends Who {
  /** The path of the backend's pipe. */
  pipe: string;
  /** Codings in which long frames may be compressed, where the backend allows one; none unless told. */
  compression?: readonly Encoding[];
  site?: undefined;
}

interface OverWebSocket extends Who {
  /**
   * The origin of the app's site behind the web gateway, such as
   * `http://com-example-x-….localhost:24800`. All clients of a process for one site share a
   * WebSocket; each has its name, order and budget.
   */
  site: string;
  pipe?: undefined;
  compression?: undefined;
}

type ConnectTarget = OverPipe | OverWebSocket;

type WithTicket = ConnectTarget & {
  /** Works once: after a loss the client resumes its session, within the backend's grace. */
  ticket: string;
};

type WithProvider = ConnectTarget & {
  /** Called for each session; lets the client come back even when the backend has forgotten it. */
  ticketProvider: () => Promise<string | Ticket>;
};

export type ConnectOptions = WithTicket | WithProvider;

/** Connects to the backend's pipe, or to its web gateway, and opens the app's session; rejects with `DeskbusError`. */
export async function connect(options: ConnectOptions): Promise<Client> {
  const { app, whileClosed, heartbeat, retry, batch, compression } = checked(options);
  const pipe = options.site ?? options.pipe;
  const renewable = 'ticketProvider' in options;
  const client = new Client({
    dial: options.site === undefined ? dial : dialSite,
    app,
    renewable,
    ...(whileClosed ? { whileClosed } : {}),
    ...(heartbeat ? { heartbeat } : {}),
    ...(retry ? { retry } : {}),
    ...(batch ? { batch } : {}),
    ...(compression ? { codec: new Codec(compression) } : {}),
    ticketProvider: async () => {
      const given = renewable ? await options.ticketProvider() : options.ticket;
      const ticket = typeof given === 'string' ? { ticket: given, pipe } : given;
      if (!isTicket(ticket)) throw invalid('The ticketProvider gave no ticket.', TICKET_ADVICE);
      return ticket;
    },
  });
  await client.open();
  return client;
}

const TICKET_ADVICE =
  "Get one in Electron's main process: shell.call('session.mintTicket', { app }), whose result has it.";

/** A program in JavaScript may pass anything. Throws `DeskbusError` (invalid_params). */
function checked(given: unknown): ConnectOptions {
  const { app, pipe, site, ticket, ticketProvider } = (given ?? {}) as Partial<
    Record<'app' | 'pipe' | 'site' | 'ticket' | 'ticketProvider', unknown>
  >;
  if (typeof app !== 'string' || app === '') {
    throw invalid(
      'There is no app.',
      "Pass its id, as deskbus.toml has it: { app: 'com.example.x' }.",
    );
  }
  if (typeof pipe !== 'string' && typeof site !== 'string') {
    throw invalid(
      'There is neither a pipe nor a site.',
      "Pass the path of the backend's pipe, `shell.pipe` in the main process, as `pipe`.",
    );
  }
  if (typeof site === 'string' && !/^http:\/\/[^/]+\/?$/.test(site)) {
    throw invalid(
      `${site} is no site of the gateway.`,
      'Pass its origin, such as http://com-example-x-….localhost:24800.',
    );
  }
  if (typeof ticketProvider !== 'function' && typeof ticket !== 'string') {
    throw invalid('There is neither a ticket nor a function that gets one.', TICKET_ADVICE);
  }
  return given as ConnectOptions;
}

function isTicket(value: unknown): value is Ticket {
  const { ticket, pipe } = (value ?? {}) as Partial<Record<keyof Ticket, unknown>>;
  return typeof ticket === 'string' && typeof pipe === 'string';
}

function invalid(message: string, action: string): DeskbusError {
  return DeskbusError.of('invalid_params', message, { action });
}

/**
 * Connects a process that the backend spawned: its pipe and app are in the environment, its
 * ticket comes through an inherited descriptor and so is in no list of processes. `runAsApp` does
 * more: it tells that the app is ready and lives, and ends when the backend says so.
 */
export async function connectAsApp(): Promise<Client> {
  return connect(await handedCredentials());
}
