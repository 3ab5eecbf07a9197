import { DeskbusError } from '../../common/error';
import type { DialedLink } from './dialed-link';
import type { Line, LineOutput } from './line';
import { Link, type LinkHooks } from './link';

/** As much of a WebSocket as is used, a browser's or another. */
export interface Socket {
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: never) => void) | null;
  send(text: string): void;
  close(): void;
}

export type SocketFactory = (url: string) => Socket;

/** Bytes of one channel that are under way, as the gateway has it. */
export const WINDOW_BYTES = 1024 * 1024;

/** The gateway is told when so much was taken. */
const TOLD_BYTES = WINDOW_BYTES / 4;

/** How long a socket is kept that no client has any more, unless told. */
const IDLE_MS = 10_000;

/** An answer that is due comes within this time, or the network has gone. */
const SIGN_LIMIT_MS = 5_000;

/** Clients that share a WebSocket, as the gateway has it. */
const MAX_CHANNELS = 64;

const HEAD = /^#([1-9][0-9]{0,8})(?:(\.)|\+([0-9]{1,9}))?(?:\n|$)/;
const encoder = new TextEncoder();
// eslint-disable-next-line no-control-regex
const NOT_ASCII = /[^\x00-\x7f]/;

/** The length of a text as the other side counts it. */
export function bytesOf(text: string): number {
  return NOT_ASCII.test(text) ? encoder.encode(text).length : text.length;
}

/**
 * Clients of one app on as few WebSockets as there can be. Each has a channel of its own: its order,
 * its window. A client that takes nothing holds up none of the others.
 */
export class SocketPool {
  private readonly sockets: SharedSocket[] = [];

  constructor(
    private readonly url: string,
    private readonly open: SocketFactory,
    private readonly idleMs = IDLE_MS,
  ) {}

  /** As `Dial` in `dialed-link.ts`; the address is always the pool's own. */
  dial(hooks: LinkHooks, onHeard: () => void): DialedLink {
    let shared = this.sockets.find(({ hasRoom }) => hasRoom);
    if (!shared) {
      shared = new SharedSocket(this.url, this.open, this.idleMs);
      this.sockets.push(shared);
    }
    return shared.dial(hooks, onHeard);
  }
}

/**
 * One WebSocket, which is opened for its first channel and closed some time after its last.
 *
 * A network that has gone says nothing. So when a channel is given up here, which the gateway
 * answers, the socket is doubtful until something comes of it: a new channel waits for that, and
 * where nothing comes there is another socket.
 */
class SharedSocket {
  private readonly channels = new Map<number, Channel>();
  private socket: Socket | undefined;
  private isOpen = false;
  private lastNumber = 0;
  private idle: ReturnType<typeof setTimeout> | undefined;
  /** Runs while the gateway owes an answer. */
  private doubt: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly url: string,
    private readonly open: SocketFactory,
    private readonly idleMs: number,
  ) {}

  get hasRoom(): boolean {
    return this.channels.size < MAX_CHANNELS;
  }

  dial(hooks: LinkHooks, onHeard: () => void): DialedLink {
    // Throws where the address is refused; then there is no channel either.
    this.socket ??= this.connect();
    clearTimeout(this.idle);
    const number = ++this.lastNumber;
    const channel = new Channel(number, hooks, onHeard, {
      send: (text) => this.send(text),
      closed: () => this.forget(number),
    });
    this.channels.set(number, channel);
    if (this.isOpen && this.doubt === undefined) channel.opened();
    return channel;
  }

  private connect(): Socket {
    const socket = this.open(this.url);
    this.expectAnswer();
    socket.onopen = () => {
      if (this.socket !== socket) return;
      this.isOpen = true;
      this.answered();
    };
    socket.onmessage = ({ data }) => {
      if (this.socket !== socket || typeof data !== 'string') return;
      if (this.doubt !== undefined) this.answered();
      this.take(data);
    };
    socket.onclose = () => {
      if (this.socket === socket) this.lose();
    };
    return socket;
  }

  private expectAnswer(): void {
    this.doubt ??= setTimeout(() => this.drop(), SIGN_LIMIT_MS);
  }

  private answered(): void {
    clearTimeout(this.doubt);
    this.doubt = undefined;
    for (const channel of this.channels.values()) channel.opened();
  }

  private take(text: string): void {
    const found = HEAD.exec(text);
    if (!found) return;
    const channel = this.channels.get(Number(found[1]));
    if (!channel) return;
    if (found[2] !== undefined) this.end(channel);
    else if (found[3] !== undefined) channel.acknowledged(Number(found[3]));
    else channel.take(text.slice(found[0].length));
  }

  private send(text: string): void {
    if (this.isOpen) this.socket?.send(text);
  }

  /** The gateway has ended a channel. */
  private end(channel: Channel): void {
    this.channels.delete(channel.number);
    channel.destroy();
    this.lookIdle();
  }

  /** A channel was given up here. */
  private forget(number: number): void {
    if (!this.channels.delete(number)) return;
    if (this.isOpen) {
      this.send(`#${number}.`);
      this.expectAnswer();
    }
    this.lookIdle();
  }

  private lookIdle(): void {
    if (this.channels.size > 0) return;
    clearTimeout(this.idle);
    this.idle = setTimeout(() => {
      if (this.channels.size === 0) this.drop();
    }, this.idleMs);
  }

  private drop(): void {
    const { socket } = this;
    this.lose();
    socket?.close();
  }

  private lose(): void {
    this.socket = undefined;
    this.isOpen = false;
    clearTimeout(this.doubt);
    this.doubt = undefined;
    for (const channel of [...this.channels.values()]) channel.destroy();
  }
}

interface ChannelHooks {
  send(text: string): void;
  closed(): void;
}

type ChannelEvent = 'close' | 'drain' | 'error';

/** One client's part of a socket: its line, and what its link writes to. */
class Channel implements DialedLink, Line, LineOutput {
  readonly link: Link;
  readonly socket = this;
  readonly connected: Promise<void>;
  destroyed = false;
  private readonly listeners = new Map<ChannelEvent, Set<() => void>>();
  private open = false;
  private paused = false;
  private held: string[] = [];
  private unsent: string[] = [];
  private unsentBytes = 0;
  private unacknowledged = 0;
  /** Bytes that were taken, and that the gateway was not told of yet. */
  private taken = 0;
  private connect: () => void = () => undefined;
  private refuse: (error: DeskbusError) => void = () => undefined;

  constructor(
    readonly number: number,
    hooks: LinkHooks,
    private readonly onHeard: () => void,
    private readonly pool: ChannelHooks,
  ) {
    this.connected = new Promise((resolve, reject) => {
      this.connect = resolve;
      this.refuse = reject;
    });
    this.link = new Link(this, {
      ...hooks,
      onClose: () => {
        this.destroy();
        this.refuse(DeskbusError.of('unavailable', 'The gateway does not answer.'));
        hooks.onClose();
      },
    });
  }

  get writableLength(): number {
    return this.unsentBytes + this.unacknowledged;
  }

  opened(): void {
    this.open = true;
    this.connect();
    this.sendSome();
  }

  write(text: string): void {
    if (this.destroyed) return;
    this.unsent.push(text);
    this.unsentBytes += bytesOf(text);
    this.sendSome();
  }

  acknowledged(bytes: number): void {
    this.unacknowledged = Math.max(0, this.unacknowledged - bytes);
    this.sendSome();
    this.emit('drain');
  }

  take(text: string): void {
    this.onHeard();
    if (this.paused) this.held.push(text);
    else this.feed(text);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    while (this.held.length > 0 && !this.isPaused()) this.feed(this.held.shift() ?? '');
  }

  end(): void {
    this.destroy();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.pool.closed();
    this.emit('close');
  }

  on(event: ChannelEvent, listener: () => void): void {
    const known = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, known.add(listener));
  }

  once(event: 'close', listener: () => void): void {
    this.on(event, listener);
  }

  removeListener(event: ChannelEvent, listener: () => void): void {
    this.listeners.get(event)?.delete(listener);
  }

  /** Asked anew each time: a listener may pause. */
  private isPaused(): boolean {
    return this.paused;
  }

  private feed(text: string): void {
    this.link.feedLines(text);
    this.taken += bytesOf(text);
    if (this.destroyed || this.taken < TOLD_BYTES) return;
    this.pool.send(`#${this.number}+${this.taken}`);
    this.taken = 0;
  }

  private sendSome(): void {
    while (this.open && this.unsent.length > 0 && this.unacknowledged < WINDOW_BYTES) {
      const text = this.unsent.shift() ?? '';
      const bytes = bytesOf(text);
      this.unsentBytes -= bytes;
      this.unacknowledged += bytes;
      this.pool.send(`#${this.number}\n${text}`);
    }
  }

  private emit(event: ChannelEvent): void {
    for (const listener of [...(this.listeners.get(event) ?? [])]) listener();
  }
}
