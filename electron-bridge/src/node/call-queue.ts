import { MAX_QUEUED_CALLS, MAX_QUEUED_SIZE } from '../generated/constants';
import { monotonicMs, startTimer } from './link/clock';
import { DeskbusError } from '../common/error';
import { checkSize } from '../common/json';
import type { CallOptions, Link } from './link/link';

interface Waiting {
  readonly characters: number;
  send(link: Link): void;
  refuse(error: DeskbusError): void;
}

/**
 * Calls and publishes that wait for a connection, as they were when they were made; the timeouts of
 * calls count from then.
 */
export class CallQueue {
  private waiting = new Set<Waiting>();
  private characters = 0;

  /**
   * Has a call wait whose parameters are `text`; `make` makes it then. Rejects with overloaded where
   * too much waits already, and with too_large.
   */
  async add<Result>(
    text: string,
    { timeout, signal }: CallOptions,
    make: (link: Link, options: CallOptions) => Promise<Result>,
  ): Promise<Result> {
    checkSize(text);
    this.checkRoom(text.length);
    if (signal?.aborted) throw DeskbusError.of('cancelled');
    return new Promise((resolve, reject) => {
      const since = monotonicMs();
      const waiting: Waiting = {
        characters: text.length,
        send: (link) => {
          release();
          const spent = monotonicMs() - since;
          const options = {
            ...(timeout === undefined ? {} : { timeout: Math.max(1, timeout - spent) }),
            ...(signal ? { signal } : {}),
          };
          make(link, options).then(resolve, reject);
        },
        refuse: (error) => {
          release();
          reject(error);
        },
      };
      const giveUp = (why: 'cancelled' | 'timeout'): void => {
        if (!this.waiting.delete(waiting)) return;
        this.characters -= waiting.characters;
        waiting.refuse(DeskbusError.of(why));
      };
      const abort = (): void => giveUp('cancelled');
      signal?.addEventListener('abort', abort);
      const timer = startTimer(timeout, () => giveUp('timeout'));
      const release = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
      };
      this.wait(waiting);
    });
  }

  /** Has what needs no answer wait; throws overloaded where too much does already. */
  post(
    characters: number,
    send: (link: Link) => void,
    refuse: (error: DeskbusError) => void,
  ): void {
    this.checkRoom(characters);
    this.wait({ characters, send, refuse });
  }

  /** In the order in which they were made. */
  sendAll(link: Link): void {
    for (const waiting of this.take()) waiting.send(link);
  }

  refuseAll(error: DeskbusError): void {
    for (const waiting of this.take()) waiting.refuse(error);
  }

  private checkRoom(characters: number): void {
    const full = this.characters + characters > MAX_QUEUED_SIZE;
    if (this.waiting.size >= MAX_QUEUED_CALLS || full) {
      throw DeskbusError.of('overloaded', 'Too much waits for the connection.');
    }
  }

  private wait(waiting: Waiting): void {
    this.waiting.add(waiting);
    this.characters += waiting.characters;
  }

  private take(): Set<Waiting> {
    const { waiting } = this;
    this.waiting = new Set();
    this.characters = 0;
    return waiting;
  }
}
