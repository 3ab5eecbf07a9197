import { MAX_REQUEST_TIMEOUT_MS } from '../../generated/constants';
import type { PageBus } from '../bus';
import { failure } from '../failure';
import { readWord } from './channel-words';
import type { Identity } from './identity';

type Requests = Pick<PageBus, 'request'>;

/** The other end of a channel: calls to it settle when it is gone, whatever it was doing. */
export class Peer {
  private gone: ((error: Error) => void) | undefined;
  private readonly end: Promise<never>;

  constructor(
    private readonly bus: Requests,
    private readonly topic: string,
    readonly identity: Required<Identity>,
  ) {
    this.end = new Promise((_resolve, reject) => (this.gone = reject));
    this.end.catch(() => undefined);
  }

  is(app: string, client: string): boolean {
    return this.identity.uuid === app && this.identity.name === client;
  }

  leave(error: Error): void {
    this.gone?.(error);
  }

  /** Resolves with the answer's members; rejects with a failure. */
  async ask(word: object): Promise<Partial<Record<string, unknown>>> {
    const options = { timeout: MAX_REQUEST_TIMEOUT_MS };
    const asked = this.bus.request(this.topic, word, options);
    const { payload, app, client } = await Promise.race([asked, this.end]);
    if (!this.is(app, client)) {
      throw failure('responder_failed', `${app} answered in the place of ${this.identity.uuid}.`);
    }
    return readWord(payload);
  }
}
