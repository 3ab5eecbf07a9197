import { DeskbusError } from '../common/error';
import { Client } from '../node/client';
import type { Ticket } from '../node/connection';
import { loopbackAccess, whyUnreachable } from './loopback-access';
import { SocketPool, type Socket } from '../node/link/socket-pool';
import { askPerson } from './pairing';
import { BUS_PATH, TICKET_PATH } from './words';

export interface OutsideOptions {
  /** The id of the app that this page's origin may come as. */
  app: string;
  /** The app's site, such as `http://com-example-x-….localhost:24800`. */
  site: string;
  /** The token that a person's word gave this page. */
  pairing: string;
}

/**
 * Connects a page of an origin from elsewhere. Where the browser would ask a person first, it is to
 * be called from a click: nobody expects a question that no action of theirs has brought.
 *
 * Rejects with unavailable, in words for the person, where the browser won't let it; with
 * session_required where the pairing is not valid any more.
 */
export async function connectFromOutside({ app, site, pairing }: OutsideOptions): Promise<Client> {
  await checkReachable();
  const url = `${site.replace(/^http/, 'ws')}${BUS_PATH}`;
  const pool = new SocketPool(url, (address) => new WebSocket(address) as unknown as Socket);
  const client = new Client({
    app,
    renewable: true,
    dial: (_address, hooks, onHeard) => pool.dial(hooks, onHeard),
    ticketProvider: () => ticketOf(site, pairing, url),
  });
  await client.open();
  return client;
}

export interface PairingOptions {
  /** The site of the app that this page wants to come as. */
  site: string;
  /** Is handed the number for the person to compare with the one in the shell's dialog. */
  onNumber: (number: string) => void;
}

/**
 * Has a person at the shell asked whether this page may come, and answers with the token that
 * `connectFromOutside` takes. To be called from a click: a dialog comes up by it.
 *
 * Rejects with permission_denied where nobody said yes; with unavailable where there is no shell,
 * or the browser won't let the page ask.
 */
export async function pairFromOutside({ site, onNumber }: PairingOptions): Promise<string> {
  await checkReachable();
  const { pairing } = await askPerson(site, 'omit', onNumber);
  return pairing ?? '';
}

async function checkReachable(): Promise<void> {
  const refusal = whyUnreachable(await loopbackAccess(), isSecureContext, isByClick());
  if (refusal !== '') throw DeskbusError.of('unavailable', refusal);
}

/** Whether a person has just done something; true where a browser does not tell. */
function isByClick(): boolean {
  const { userActivation } = navigator as { userActivation?: { isActive: boolean } };
  return userActivation?.isActive ?? true;
}

async function ticketOf(site: string, pairing: string, pipe: string): Promise<Ticket> {
  let response: Response;
  try {
    response = await fetch(`${site}${TICKET_PATH}`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${pairing}` },
      credentials: 'omit',
    });
  } catch {
    throw DeskbusError.of('unavailable', 'The gateway does not answer, or the browser forbids it.');
  }
  const answer = (await response.json()) as { ticket: string; error?: unknown };
  if (answer.error !== undefined) throw DeskbusError.from(answer.error);
  return { ticket: answer.ticket, pipe };
}
