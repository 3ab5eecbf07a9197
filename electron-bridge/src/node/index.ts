// The client for plain Node: apps that the backend spawned, tools and tests.
export { App, runAsApp, type RunOptions } from './app';
export { connect, connectAsApp, type ConnectOptions } from './connect';
export {
  Client,
  type ClientCallOptions,
  type ClientEvents,
  type ConfirmOptions,
  type PublishOptions,
  type RequestOptions,
  type SendOptions,
  type WhileClosed,
} from './client';
export type { ConnectionState, RetryOptions, Ticket } from './connection';
export { DeskbusError, type ErrorCategory, type ErrorName } from './error';
export type { HeartbeatOptions } from './heartbeat';
export type { BackendMethod, CallContext, CallOptions, Handler, Params, Result } from './link';
export type { Message } from './message';
export type { Responder } from './responder';
export type { Listener, Mode, Stop, SubscribeOptions } from './subscriptions';
export { matches } from './topics';
export type {
  GapParams as Gap,
  PublishResult,
  RefusedParams as Refusal,
  RequestResult,
  SendResult,
  Source,
  SubscriberParams as Subscriber,
} from '../generated/protocol';
