import type { SubscriberParams } from '../generated/protocol';
import type { Failure } from '../common/error';
import type { BackendMethod } from '../node/link';

// The IPC between a page's preload and this side. Preload and main import these same names.

/** The operations of a page, each with its method. There is no way to name another method. */
export const OPERATIONS = {
  subscribe: 'bus.subscribe',
  unsubscribe: 'bus.unsubscribe',
  publish: 'bus.publish',
  request: 'bus.request',
  respond: 'bus.respond',
  send: 'bus.send',
  watch: 'bus.watchSubscribers',
  'permissions.request': 'permissions.request',
  'permissions.query': 'permissions.query',
  'secrets.set': 'secrets.set',
  'secrets.get': 'secrets.get',
  'secrets.delete': 'secrets.delete',
  'secrets.list': 'secrets.list',
  'files.read': 'files.read',
  'files.write': 'files.write',
  'files.list': 'files.list',
} as const satisfies Record<string, BackendMethod>;

export type Operation = keyof typeof OPERATIONS;

export const Channel = {
  /** A page began: its token. */
  page: 'deskbus:page',
  /**
   * An operation: token, its name, its parameters, and a number where it may be cancelled. Answered
   * with a `Reply`.
   */
  call: 'deskbus:call',
  /** An operation is not wanted any more: token, the number that was sent with it. */
  cancel: 'deskbus:cancel',
  /** Publishes without confirmation: token, an array of their parameters. */
  post: 'deskbus:post',
  /** Messages were taken by acknowledged subscriptions: token, an array of their numbers. */
  acknowledge: 'deskbus:acknowledge',
  /** Messages were handed to the page: token, their characters. */
  taken: 'deskbus:taken',
  /** To the page: an array of `bus.message` frames. */
  messages: 'deskbus:messages',
  state: 'deskbus:state',
  refused: 'deskbus:refused',
  gap: 'deskbus:gap',
  permissions: 'deskbus:permissions',
  /** To a page that watches: a `SubscriberWord`. */
  subscribers: 'deskbus:subscribers',
} as const;

/** The other subscribers: all of them at first, then changes. */
export type SubscriberWord =
  { all: SubscriberParams[] } | { added: SubscriberParams } | { removed: SubscriberParams };

/** Errors travel as values: what a rejected `invoke` holds loses its fields on the way. */
export type Reply = { result: unknown } | { error: Failure };

/** Arguments of the renderer process that tell a preload who its window is. */
export const APP_ARGUMENT = '--deskbus-app=';
export const CLIENT_ARGUMENT = '--deskbus-client=';
