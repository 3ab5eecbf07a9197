// Tickets of a browser that was let in, for the clients of its pages.
import { DeskbusError } from '../common/error';
import type { Ticket } from '../node/connection';
import { BUS_PATH, CSRF_HEADER, PROOF_HEADER, TICKET_PATH } from './words';

export interface Credentials {
  csrf: string;
  proof: string;
}

/** Gets tickets by what the newest page of the browser's session has. */
export class TicketOffice {
  readonly busUrl: string;

  constructor(
    origin: string,
    public credentials: Credentials = { csrf: '', proof: '' },
  ) {
    this.busUrl = `${origin.replace(/^http/, 'ws')}${BUS_PATH}`;
  }

  /** Rejects with `DeskbusError`: unavailable, or the gateway's own. */
  async ticketFor(client: string): Promise<Ticket> {
    let response: Response;
    try {
      response = await fetch(TICKET_PATH, {
        method: 'POST',
        body: JSON.stringify({ client }),
        headers: {
          'content-type': 'application/json',
          [CSRF_HEADER]: this.credentials.csrf,
          [PROOF_HEADER]: this.credentials.proof,
        },
      });
    } catch {
      throw DeskbusError.of('unavailable', 'The gateway does not answer.');
    }
    const answer = (await response.json()) as { ticket: string; csrf: string; error?: unknown };
    if (answer.error !== undefined) throw DeskbusError.from(answer.error);
    this.credentials = { ...this.credentials, csrf: answer.csrf };
    return { ticket: answer.ticket, pipe: this.busUrl };
  }
}
