// The client for plain Node: apps that the backend spawned, tools and tests.
export { App, runAsApp, type RunOptions } from './app';
export { connect, connectAsApp, type ConnectOptions } from './connect';
export { Client, type ClientEvents } from './client';
export type { BatchOptions, BatchStats } from '../common/bus/batching';
export type { ConnectionState, RetryOptions, Ticket } from './connection';
export { DeskbusError, type ErrorCategory, type ErrorName } from '../common/error';
export type { Encoding } from './link/codec';
export type { HeartbeatOptions } from './link/heartbeat';
export type {
  BackendMethod,
  CallArguments,
  CallContext,
  CallOptions,
  CancelSignal,
  Handler,
  Params,
  Result,
} from './link/link';
export type { Message } from '../common/bus/message';
export type {
  ClientCallOptions,
  ConfirmOptions,
  PublishOptions,
  RequestOptions,
  SendOptions,
  WhileClosed,
} from './options';
export type { Responder } from '../common/bus/responder';
export type { Listener, Mode, Stop, SubscribeOptions } from '../common/bus/subscriptions';
export { matches } from '../common/bus/topics';
export type {
  GapParams as Gap,
  PublishResult,
  RefusedParams as Refusal,
  RequestResult,
  SendResult,
  Source,
  SubscriberParams as Subscriber,
} from '../generated/protocol';
