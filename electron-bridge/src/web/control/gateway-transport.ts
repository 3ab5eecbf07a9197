import { asDeskbusError, DeskbusError, type ErrorObject } from '../../common/error';
import type { Operator, Transport } from '../../control/backend/transport';
import type { Answer } from '../../ipc/control-channels';
import { Client } from '../../node/client';
import type { Ticket } from '../../node/connection';
import type { BackendMethod } from '../../node/link/link';
import { SocketPool, type Socket } from '../../node/link/socket-pool';
import { told } from '../tab-name';
import { TicketOffice } from '../tickets';
import { CSRF_HEADER, OWN_NAMES, PROOF_HEADER } from '../words';

const STEP_UP_PATH = '/step-up';

/** Verifying a long audit log, or rotating the vault, takes as long as it takes. */
const CALL_LIMIT_MS = 150_000;

interface SteppedUp {
  expiresIn: number;
  csrf: string;
  error?: ErrorObject;
}

/** Calls over the gateway's WebSocket, in the session of a browser that a person let in. */
export class GatewayTransport implements Transport {
  readonly operator: Operator;
  private readonly office = new TicketOffice(location.origin, {
    csrf: told('csrf'),
    proof: localStorage.getItem(`${OWN_NAMES}proof`) ?? '',
  });
  private readonly client: Client;
  /** Calls wait until it is connected for the first time. */
  private readonly opening: Promise<unknown>;
  /** `tab-BROWSER-PAGE`: a page that is loaded anew is a client of its own. */
  private readonly name = told('client');
  private shutOut: () => void = () => undefined;
  private connected: (connected: boolean) => void = () => undefined;

  constructor() {
    const pool = new SocketPool(
      this.office.busUrl,
      (url) => new WebSocket(url) as unknown as Socket,
    );
    this.client = new Client({
      app: told('app'),
      dial: (_address, hooks, onHeard) => pool.dial(hooks, onHeard),
      renewable: true,
      ticketProvider: () => this.ticket(),
    });
    this.client.on('state', (state) => {
      if (state === 'closed') this.shutOut();
      else this.connected(state === 'open');
    });
    this.opening =
      this.office.credentials.csrf === ''
        ? Promise.reject(DeskbusError.of('session_required'))
        : this.client.open();
    this.operator = {
      browser: this.name.split('-')[1] ?? '',
      stepUp: (code) => this.stepUp(code),
      onShutOut: (listener) => {
        this.shutOut = listener;
      },
    };
  }

  async call(method: string, params: unknown): Promise<Answer> {
    try {
      await this.opening;
      const limits = { timeout: CALL_LIMIT_MS };
      const result: unknown = await this.client.call(method as BackendMethod, params ?? {}, limits);
      return { result };
    } catch (error) {
      return { error: asDeskbusError(error).toObject() };
    }
  }

  onShow(listener: (page: string) => void): void {
    const show = (): void => listener(decodeURIComponent(location.hash.slice(1)) || 'overview');
    window.addEventListener('hashchange', show);
    show();
  }

  onConnected(listener: (connected: boolean) => void): void {
    this.connected = listener;
  }

  /** A page that is loaded anew shows what it showed. */
  shown(page: string): void {
    history.replaceState(null, '', `#${encodeURI(page)}`);
  }

  ready(): void {
    this.opening.catch(() => this.shutOut());
  }

  close(): void {
    window.close();
  }

  /** Rejects with `DeskbusError`; where the browser is let in no more, it is not tried again. */
  private async ticket(): Promise<Ticket> {
    try {
      return await this.office.ticketFor(this.name);
    } catch (error) {
      if (asDeskbusError(error).category === 'permission') {
        this.shutOut();
        void this.client.close();
      }
      throw error;
    }
  }

  private async stepUp(code: string): Promise<Answer> {
    const { csrf, proof } = this.office.credentials;
    try {
      const response = await fetch(STEP_UP_PATH, {
        method: 'POST',
        body: JSON.stringify({ code }),
        headers: { 'content-type': 'application/json', [CSRF_HEADER]: csrf, [PROOF_HEADER]: proof },
      });
      const answer = (await response.json()) as SteppedUp;
      if (answer.error) return { error: answer.error };
      this.office.credentials = { csrf: answer.csrf, proof };
      return { result: answer.expiresIn };
    } catch {
      return {
        error: DeskbusError.of('unavailable', 'The gateway does not answer.').toObject(),
      };
    }
  }
}
