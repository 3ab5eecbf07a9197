import type { PublishParams, RequestParams, SendParams } from '../generated/protocol';
import type { CallOptions } from './link';

export type PublishOptions = Pick<PublishParams, 'headers' | 'ttl' | 'priority' | 'correlationId'>;
/** With `durable` a publish is answered after the message is on disk. */
export type ConfirmOptions = PublishOptions &
  Pick<PublishParams, 'durable'> &
  Choice & { confirm: true };
export type RequestOptions = Choice &
  Pick<CallOptions, 'signal'> &
  Pick<RequestParams, 'app' | 'headers' | 'correlationId' | 'timeout'>;
export type SendOptions = Choice & Pick<SendParams, 'client' | 'headers' | 'correlationId'>;

/** What becomes of a call that is made while there is no connection. */
export type WhileClosed = 'queue' | 'refuse';
export interface Choice {
  /** The client's own choice unless told. */
  whileClosed?: WhileClosed;
}
export type ClientCallOptions = CallOptions & Choice;

/** How long a request is to wait for its answer, and so for a connection, at most. */
export function patienceOf(params: object): CallOptions {
  const { timeout } = params as { timeout?: unknown };
  return typeof timeout === 'number' ? { timeout } : {};
}

export function publishMembers({ headers, ttl, priority, correlationId }: PublishOptions): string {
  const members = JSON.stringify({ headers, ttl, priority, correlationId });
  return members === '{}' ? '' : `,${members.slice(1, -1)}`;
}
