import { monotonicMs } from './clock';
import { DeskbusError } from './error';
import type { BackendMethod, CallOptions, Link, Params, Result } from './link';

const MAX_WAITING = 1000;

interface Waiting {
  send(link: Link): void;
  refuse(error: DeskbusError): void;
}

/** Calls that wait for a connection; their timeouts count from when they were made. */
export class CallQueue {
  private waiting = new Set<Waiting>();

  /** Rejects with overloaded where too many wait already. */
  add<Name extends BackendMethod>(
    method: Name,
    params: Params<Name>,
    { timeout, signal }: CallOptions = {},
  ): Promise<Result<Name>> {
    if (this.waiting.size >= MAX_WAITING) {
      const why = 'Too many calls wait for the connection.';
      return Promise.reject(DeskbusError.of('overloaded', why));
    }
    if (signal?.aborted) return Promise.reject(DeskbusError.of('cancelled'));
    return new Promise((resolve, reject) => {
      const since = monotonicMs();
      const waiting: Waiting = {
        send: (link) => {
          release();
          const spent = monotonicMs() - since;
          const options = {
            ...(timeout === undefined ? {} : { timeout: Math.max(1, timeout - spent) }),
            ...(signal ? { signal } : {}),
          };
          link.call(method, params, options).then(resolve, reject);
        },
        refuse: (error) => {
          release();
          reject(error);
        },
      };
      const giveUp = (why: 'cancelled' | 'timeout'): void => {
        this.waiting.delete(waiting);
        waiting.refuse(DeskbusError.of(why));
      };
      const abort = (): void => giveUp('cancelled');
      signal?.addEventListener('abort', abort);
      const timer =
        timeout === undefined ? undefined : setTimeout(() => giveUp('timeout'), timeout);
      const release = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
      };
      this.waiting.add(waiting);
    });
  }

  /** In the order in which they were made. */
  sendAll(link: Link): void {
    for (const waiting of this.take()) waiting.send(link);
  }

  refuseAll(error: DeskbusError): void {
    for (const waiting of this.take()) waiting.refuse(error);
  }

  private take(): Set<Waiting> {
    const { waiting } = this;
    this.waiting = new Set();
    return waiting;
  }
}
