// The object that a page sees as `window.deskbus`.
import type {
  GapParams,
  ListFilesResult,
  MessageParams,
  PermissionResult,
  PermissionsChangedParams,
  PublishResult,
  QueryPermissionParams,
  AskParams,
  ReadFileParams,
  ReadFileResult,
  RefusedParams,
  RequestResult,
  SendResult,
  WriteFileParams,
  WriteFileResult,
} from '../generated/protocol';

import type { BatchOptions } from '../common/bus/batching';
import type { PageStats } from './link';
import type { InterApplicationBus } from './openfin/api';

export type { BatchOptions, PageStats };

export type Message = MessageParams;
export type Refused = Omit<RefusedParams, '_meta'>;
export type Gap = Omit<GapParams, '_meta'>;
/** `closed` are this page's subscriptions that have ended with it. */
export type PermissionChange = Omit<PermissionsChangedParams, '_meta'>;
export type ConnectionState = 'connecting' | 'open' | 'resuming' | 'closed';

/** The reason of a rejected promise of this API: an Error of the page's own world. */
export interface DeskbusFailure extends Error {
  name: 'DeskbusError';
  code: number;
  category: string;
  retryable: boolean;
  /** Advice to a person. */
  action: string;
  correlationId?: string;
}

/** A publish, or a renewed subscription, that was refused; `count` of them at once. */
export type Refusal = DeskbusFailure & Refused;

export interface PublishOptions extends WaitOptions {
  headers?: Record<string, string>;
  /** Milliseconds after which the message is worth nothing. */
  ttl?: number;
  /** 0 to 9. */
  priority?: number;
  correlationId?: string;
}

export interface WaitOptions {
  /** The fate of a call or a publish while there is no connection: `refuse`, unless given. */
  whileClosed?: 'queue' | 'refuse';
}

export interface CallOptions extends WaitOptions {
  /** Cancels the call when it aborts: the promise rejects with cancelled. */
  signal?: AbortSignal;
}

export interface ConfirmOptions extends PublishOptions, CallOptions {
  confirm: true;
  /** Waits until the message is on disk. */
  durable?: boolean;
}

export interface SubscribeOptions {
  /**
   * `live`, unless told. With `acknowledged` a message comes again until every listener of such
   * subscriptions has returned, and what it promised is fulfilled.
   */
  mode?: 'live' | 'acknowledged';
  /** Only messages of these senders: of an app, or of one of its clients. */
  sources?: { app: string; client?: string }[];
}

export interface RequestOptions extends CallOptions {
  /** Asks this app alone. */
  app?: string;
  headers?: Record<string, string>;
  correlationId?: string;
  /** Milliseconds; 10,000 unless told. */
  timeout?: number;
}

export interface SendOptions extends CallOptions {
  /** One client of the app; all of them unless told. */
  client?: string;
  headers?: Record<string, string>;
  correlationId?: string;
}

/** The result matters only to an acknowledged subscription, which waits for a promise. */
export type Listener = (message: Message) => unknown;
/** Answers a request with what it returns; what it throws is told to the asking app. */
export type Responder = (payload: unknown, message: Message) => unknown;
export type Stop = () => Promise<void>;

/** Passwords and tokens of the app's own, encrypted; needs the permission `secrets`. */
export interface Secrets {
  /** Keeps a text of up to 65,536 characters under a name of up to 128. */
  set(name: string, value: string): Promise<void>;
  /** Rejects with not_found where there is no such secret, with unavailable while locked. */
  get(name: string): Promise<string>;
  /** Whether there was one. */
  delete(name: string): Promise<boolean>;
  /** The names of them all. */
  list(): Promise<string[]>;
}

export type ReadOptions = Omit<ReadFileParams, '_meta' | 'path'>;
export type WriteOptions = Omit<WriteFileParams, '_meta' | 'path' | 'content'>;

export interface DeskbusApi {
  /** The app's id and this window's name on the bus. */
  readonly app: string;
  readonly client: string;

  /**
   * Publishes without waiting; a refusal comes to `onRefused`. Returns whether more may follow at
   * once; where it is false, await `ready()` first. Throws invalid_params for what JSON can't say,
   * too_large, overloaded where too much waits, and while there is no connection connection_lost,
   * unless it is to be queued.
   */
  publish(topic: string, payload: unknown, options?: PublishOptions & { confirm?: false }): boolean;
  /** Publishes and waits until the message is routed. */
  publish(topic: string, payload: unknown, options: ConfirmOptions): Promise<PublishResult>;

  /**
   * Resolves when there is room for more, as far as a page that publishes much should wait for it;
   * rejects with connection_lost.
   */
  ready(): Promise<void>;

  /** Resolves once the subscription stands; its value ends it. A person may be asked first. */
  subscribe(pattern: string, listener: Listener, options?: SubscribeOptions): Promise<Stop>;

  /** Asks the topic's subscribers; resolves with the first answer. */
  request(topic: string, payload: unknown, options?: RequestOptions): Promise<RequestResult>;

  /** Answers the requests on a topic or pattern. */
  respond(pattern: string, handler: Responder): Promise<Stop>;

  /** Sends to one app's clients that subscribed to the topic. */
  send(app: string, topic: string, payload: unknown, options?: SendOptions): Promise<SendResult>;

  readonly permissions: {
    /** Asks for a permission; a person may be asked. */
    request(wish: Omit<AskParams, '_meta'>): Promise<PermissionResult>;
    /** Tells what would happen, without asking anyone. */
    query(wish: Omit<QueryPermissionParams, '_meta'>): Promise<PermissionResult>;
    /** Called when this app's permissions have changed; returns a function that ends it. */
    onChanged(listener: (change: PermissionChange) => void): () => void;
  };

  readonly secrets: Secrets;

  /**
   * Files and folders that the app was granted (`filesystem.read`, `filesystem.write`); a person
   * may be asked. Paths are absolute, `~` is the home folder.
   */
  readonly files: {
    /** At most 1 MiB from `offset` on; `next` in the result is where to go on. */
    read(path: string, options?: ReadOptions): Promise<ReadFileResult>;
    /** Makes a file that is not there yet, unless told to replace or append. */
    write(path: string, content: string, options?: WriteOptions): Promise<WriteFileResult>;
    list(path: string, options?: { after?: string }): Promise<ListFilesResult>;
  };

  state(): ConnectionState;
  /** Each of these returns a function that ends it. */
  onState(listener: (state: ConnectionState) => void): () => void;
  onRefused(listener: (refusal: Refusal) => void): () => void;
  onGap(listener: (gap: Gap) => void): () => void;

  /** Counters of the lines that this page has sent, and of how many left together. */
  stats(): PageStats;
  /** Sets what leaves together, up to 128 lines and 64 Ki characters; all of a turn unless told. */
  setBatching(options: BatchOptions): void;

  /** The same bus in OpenFin's shapes. */
  readonly InterApplicationBus: InterApplicationBus;
}

declare global {
  interface Window {
    readonly deskbus: DeskbusApi;
  }
}
