import { FDC3_PATIENCE_MS, REQUEST_PATIENCE_MS } from '../generated/constants';
import type { PublishParams, RequestParams, SendParams } from '../generated/protocol';
import { DeskbusError } from '../common/error';
import { toJson } from '../common/json';
import type { CallOptions } from './link/link';

export type PublishOptions = Choice &
  Pick<PublishParams, 'headers' | 'ttl' | 'priority' | 'correlationId'>;
/** With `durable` a publish is answered after the message is on disk. */
export type ConfirmOptions = PublishOptions & Pick<PublishParams, 'durable'> & { confirm: true };
export type RequestOptions = Choice &
  Pick<CallOptions, 'signal'> &
  Pick<RequestParams, 'app' | 'headers' | 'correlationId' | 'timeout'>;
export type SendOptions = Choice & Pick<SendParams, 'client' | 'headers' | 'correlationId'>;

/** The fate of a call or a publish that is made while there is no connection. */
export type WhileClosed = 'queue' | 'refuse';
export interface Choice {
  /** The client's own choice unless told. */
  whileClosed?: WhileClosed;
}
export type ClientCallOptions = CallOptions & Choice;

/** How long a request waits at most: for a connection, a person who is asked, and its answer. */
export function patienceOf(method: string, params: object): CallOptions {
  if (method === 'fdc3.send') return { timeout: FDC3_PATIENCE_MS };
  if (method !== 'bus.request') return {};
  const { timeout } = params as { timeout?: unknown };
  if (timeout === undefined) return { timeout: REQUEST_PATIENCE_MS };
  // A limit that is none is the backend's to refuse.
  return typeof timeout === 'number' && timeout >= 1 ? { timeout } : {};
}

/** Throws invalid_params: nobody is told when the message is on disk. */
export function checkUnconfirmed(options: object): void {
  if ((options as { durable?: unknown }).durable === true) {
    throw DeskbusError.of('invalid_params', 'A durable publish needs confirm.');
  }
}

/** The options of a publish as members of its parameters, each after a comma. */
export function publishMembers({ headers, ttl, priority, correlationId }: PublishOptions): string {
  const members = toJson({ headers, ttl, priority, correlationId });
  return members === '{}' ? '' : `,${members.slice(1, -1)}`;
}
