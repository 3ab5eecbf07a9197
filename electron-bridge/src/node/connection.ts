import {
  FIRST_RETRY_MS,
  LAST_RETRY_MS,
  LEAVE_LIMIT_MS,
  SESSION_GRACE_MS,
} from '../generated/constants';
import { PROTOCOL_VERSION, type OpenParams, type OpenResult } from '../generated/protocol';
import { Backoff } from '../common/backoff';
import { noBatches, type BatchOptions } from '../common/bus/batching';
import { monotonicMs } from './link/clock';
import { asDeskbusError, DeskbusError, isError, isLoss } from '../common/error';
import { Heartbeat, type HeartbeatOptions } from './link/heartbeat';
import type { Dial, DialedLink } from './link/dialed-link';
import type { Codec } from './link/codec';
import type { Line } from './link/line';
import type { Handler, Link, LinkHooks, Params } from './link/link';

/** `resuming` after a connection was lost, until there is another one. */
export type ConnectionState = 'connecting' | 'open' | 'resuming' | 'closed';

export interface Ticket {
  ticket: string;
  /** Where the pipe is now; after a restart of the backend it may be elsewhere. */
  pipe: string;
}

export interface ConnectionOptions {
  app: string;
  /** Opens a line to where a ticket says. */
  dial: Dial;
  /** Gets a ticket for each session. */
  ticketProvider: () => Promise<Ticket>;
  /** Whether there are more tickets than one; else a lost session is resumed or over. */
  renewable: boolean;
  heartbeat?: HeartbeatOptions;
  retry?: RetryOptions;
  /** Limits of what is written together. */
  batch?: BatchOptions;
  /** Compresses long frames, where the backend agrees. */
  codec?: Codec;
  /** Whether the first session takes up where an earlier process of this client left off. */
  takeUp?: boolean;
  /** The last message of each topic that the earlier process was given. */
  takenSeqs?: Record<string, number>;
}

export interface RetryOptions {
  /** How long to wait before the first attempt to come back; doubled for each one more. */
  firstMs?: number;
  limitMs?: number;
}

export interface ConnectionHooks extends Omit<LinkHooks, 'onClose'> {
  /** The last message of each topic that came. */
  lastSeqs(): Record<string, number>;
  onOpen(link: Link, opened: OpenResult): void;
  onLost(): void;
  onState(state: ConnectionState): void;
}

const OPEN_LIMIT_MS = 10_000;
const CLOSE_LIMIT_MS = 1_000;

/** A session with the backend that outlives its connections. */
export class Connection {
  /** Counters of what was written together, over all connections. */
  readonly batches = noBatches();
  private readonly handlers = new Map<string, Handler>();
  private readonly backoff: Backoff;
  private readonly heartbeat: Heartbeat;
  private current: ConnectionState = 'connecting';
  private standing: Link | undefined;
  private socket: Line | undefined;
  private retry: NodeJS.Timeout | undefined;
  private pipe = '';
  private resumeToken = '';
  private known = false;
  private lostAt = 0;
  private paused = false;

  constructor(
    private readonly options: ConnectionOptions,
    private readonly hooks: ConnectionHooks,
  ) {
    const { firstMs = FIRST_RETRY_MS, limitMs = LAST_RETRY_MS } = options.retry ?? {};
    this.backoff = new Backoff(firstMs, limitMs);
    this.heartbeat = new Heartbeat(
      { ask: () => this.showLife(), dead: () => this.socket?.destroy() },
      options.heartbeat,
    );
  }

  get state(): ConnectionState {
    return this.current;
  }

  /** The present link, if there is one. */
  get link(): Link | undefined {
    return this.standing;
  }

  /** Opens the session for the first time; rejects with `DeskbusError`. */
  async open(): Promise<void> {
    try {
      await this.openSession();
    } catch (error) {
      this.end();
      throw error;
    }
  }

  handle(method: string, handler: Handler): void {
    this.handlers.set(method, handler);
    this.link?.handle(method, handler);
  }

  /** Stops reading until `resume`. */
  pause(): void {
    this.paused = true;
    this.heartbeat.pause();
    this.socket?.pause();
  }

  resume(): void {
    this.paused = false;
    this.heartbeat.resume();
    this.socket?.resume();
  }

  /**
   * Writes what is waiting and ends the session: for good, unless what comes meanwhile is to wait
   * for this client's next run.
   */
  async close(keep = this.options.takeUp === true): Promise<void> {
    const { socket, link } = this;
    const left = link && !keep ? this.leave(link) : undefined;
    this.end();
    await left;
    if (!socket || socket.destroyed) return;
    await new Promise<void>((resolve) => {
      const limit = setTimeout(() => socket.destroy(), CLOSE_LIMIT_MS);
      socket.once('close', () => {
        clearTimeout(limit);
        resolve();
      });
      socket.end();
    });
  }

  /** Has the backend keep nothing for this client; one that does not answer finds out by itself. */
  private async leave(link: Link): Promise<void> {
    // The answer would not be read while this client is paused.
    if (this.paused) this.resume();
    await link.call('session.leave', {}, { timeout: LEAVE_LIMIT_MS }).catch(() => undefined);
  }

  private async openSession(): Promise<void> {
    const { ticket, pipe } = await this.options.ticketProvider();
    if (this.state === 'closed') throw DeskbusError.of('connection_lost');
    const link = await this.dial(pipe);
    const params = { ticket, app: this.options.app, protocolVersion: PROTOCOL_VERSION };
    const { takeUp = false, takenSeqs } = this.options;
    const lastSeqs = this.known ? this.hooks.lastSeqs() : takenSeqs;
    const again = { resume: this.known || takeUp, ...(lastSeqs ? { lastSeqs } : {}) };
    const opened = await introduce(link, 'session.open', { ...params, ...again, ...this.terms });
    this.pipe = pipe;
    this.begin(link, opened);
  }

  /**
   * False where nobody answers on the pipe, or the session is not known any more; rejects where
   * another try may find it.
   */
  private async resumeSession(): Promise<boolean> {
    const { resumeToken } = this;
    if (resumeToken === '') return false;
    let link: Link;
    try {
      link = await this.dial(this.pipe);
    } catch (error) {
      if (isError(error, 'overloaded')) throw error;
      return false;
    }
    const lastSeqs = this.hooks.lastSeqs();
    const protocolVersion = PROTOCOL_VERSION;
    const params = { resumeToken, protocolVersion, lastSeqs, ...this.terms };
    try {
      this.begin(link, await introduce(link, 'session.resume', params));
      return true;
    } catch (error) {
      // Without an answer nobody knows whether the token was used up; it was not where there is no
      // room at the moment.
      if (isLoss(error) || asDeskbusError(error).retryable) throw error;
      this.resumeToken = '';
      return false;
    }
  }

  /** The parameters that tell of this client where a session is opened or resumed. */
  private get terms(): Pick<OpenParams, 'samples' | 'encodings'> {
    const { codec } = this.options;
    return codec ? { samples: true, encodings: [...codec.encodings] } : { samples: true };
  }

  private begin(link: Link, opened: OpenResult): void {
    this.known = true;
    if (opened.encoding) link.encodeAs(opened.encoding);
    this.resumeToken = opened.resumeToken;
    this.standing = link;
    this.backoff.reset();
    this.heartbeat.start();
    this.hooks.onOpen(link, opened);
    if (this.paused) this.socket?.pause();
    this.become('open');
  }

  /** Resolves with a link whose loss is this session's. */
  private async dial(pipe: string): Promise<Link> {
    const onClose = (): void => {
      if (this.link === link) this.lost();
    };
    const batching = { limits: this.options.batch ?? {}, stats: this.batches };
    const { codec } = this.options;
    const hooks = { ...this.hooks, onClose, batching, ...(codec ? { codec } : {}) };
    const call: DialedLink = this.options.dial(pipe, hooks, () => this.heartbeat.heard());
    const { link, socket, connected } = call;
    for (const [method, handler] of this.handlers) link.handle(method, handler);
    this.socket = socket;
    await connected;
    return link;
  }

  private lost(): void {
    this.standing = undefined;
    this.heartbeat.stop();
    this.hooks.onLost();
    if (this.state === 'closed') return;
    this.lostAt = monotonicMs();
    this.become('resuming');
    this.retryLater();
  }

  private retryLater(): void {
    this.retry = setTimeout(() => {
      this.comeBack().catch(() => {
        if (this.state === 'closed') return;
        if (this.isOver) this.end();
        else this.retryLater();
      });
    }, this.backoff.next());
  }

  private async comeBack(): Promise<void> {
    if ((await this.resumeSession()) || this.state === 'closed') return;
    if (this.options.renewable) await this.openSession();
    else this.end();
  }

  /** Whether there is no ticket left, nor a session to resume. */
  private get isOver(): boolean {
    return !this.options.renewable && monotonicMs() - this.lostAt >= SESSION_GRACE_MS;
  }

  private end(): void {
    clearTimeout(this.retry);
    this.heartbeat.stop();
    this.become('closed');
    const link = this.link;
    this.standing = undefined;
    link?.flush();
    if (link === undefined) this.socket?.destroy();
    this.socket = undefined;
  }

  private become(state: ConnectionState): void {
    if (this.current === state || this.current === 'closed') return;
    this.current = state;
    this.hooks.onState(state);
  }

  /** Lets the backend hear of this client, and answer. */
  private showLife(): void {
    const { link } = this;
    // The answer would not be read while this client is paused.
    if (this.paused) link?.notify('session.ping', {});
    else link?.call('session.ping', {}).catch(() => undefined);
  }
}

async function introduce<Name extends 'session.open' | 'session.resume'>(
  link: Link,
  method: Name,
  params: Params<Name>,
): Promise<OpenResult> {
  try {
    return await link.call(method, params, { timeout: OPEN_LIMIT_MS });
  } catch (error) {
    link.close();
    throw error;
  }
}
