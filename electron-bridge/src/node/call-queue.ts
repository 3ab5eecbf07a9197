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
    { timeout }: CallOptions = {},
  ): Promise<Result<Name>> {
    if (this.waiting.size >= MAX_WAITING) {
      const why = 'Too many calls wait for the connection.';
      return Promise.reject(DeskbusError.of('overloaded', why));
    }
    return new Promise((resolve, reject) => {
      const since = monotonicMs();
      const waiting: Waiting = {
        send: (link) => {
          clearTimeout(timer);
          const spent = monotonicMs() - since;
          const options = timeout === undefined ? {} : { timeout: Math.max(1, timeout - spent) };
          link.call(method, params, options).then(resolve, reject);
        },
        refuse: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      const expire = (): void => {
        this.waiting.delete(waiting);
        reject(DeskbusError.of('timeout'));
      };
      const timer = timeout === undefined ? undefined : setTimeout(expire, timeout);
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
