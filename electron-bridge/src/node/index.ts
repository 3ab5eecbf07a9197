// The client for plain Node: apps that the backend spawned, tools and tests.
export { connect, connectAsApp, type ConnectOptions } from './connect';
export {
  Client,
  type ClientEvents,
  type ConfirmOptions,
  type ConnectionState,
  type PublishOptions,
  type RequestOptions,
  type SendOptions,
  type Ticket,
} from './client';
export { DeskbusError, type ErrorCategory, type ErrorName } from './error';
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
} from '../generated/protocol';
