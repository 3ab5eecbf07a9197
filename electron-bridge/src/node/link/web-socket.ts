import { createHash, randomBytes } from 'crypto';
import { connect, type Socket as Stream } from 'net';
import type { Socket } from './socket-pool';

/** RFC 6455, section 1.3. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const BUS_PATH = '/bus';
/** The gateway listens there and nowhere else. */
const LOOPBACK = '127.0.0.1';
const MAX_HEAD_BYTES = 16 * 1024;
/** The gateway's longest message is a bus frame. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;
const CLOSE_LIMIT_MS = 1_000;

const CONTINUATION = 0;
const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

interface Frame {
  opcode: number;
  ends: boolean;
  payload: Buffer;
}

/**
 * A WebSocket to an app's site behind the gateway (RFC 6455, the client's half). No extension is
 * asked for. Whatever breaks the protocol ends it.
 */
export class WebSocketClient implements Socket {
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  private readonly stream: Stream;
  private readonly key = randomBytes(16).toString('base64');
  private isOpen = false;
  private held: Buffer[] = [];
  private heldBytes = 0;
  /** Fewer bytes than these are no whole frame. */
  private wantedBytes = 0;
  private fragments: Buffer[] = [];

  constructor(site: string) {
    const { host, port, origin } = new URL(site);
    this.stream = connect({ host: LOOPBACK, port: Number(port) });
    this.stream.on('data', (chunk) => this.take(chunk));
    this.stream.on('error', () => undefined);
    this.stream.on('close', () => this.onclose?.(undefined as never));
    const lines = [
      `GET ${BUS_PATH} HTTP/1.1`,
      `Host: ${host}`,
      `Origin: ${origin}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${this.key}`,
    ];
    this.stream.write(`${lines.join('\r\n')}\r\n\r\n`);
  }

  get bufferedAmount(): number {
    return this.stream.writableLength;
  }

  send(text: string): void {
    this.write(TEXT, Buffer.from(text));
  }

  close(): void {
    if (this.stream.destroyed) return;
    if (this.isOpen) this.write(CLOSE, Buffer.alloc(0));
    this.stream.end();
    const { stream } = this;
    setTimeout(() => stream.destroy(), CLOSE_LIMIT_MS).unref();
  }

  private take(chunk: Buffer): void {
    this.held.push(chunk);
    this.heldBytes += chunk.length;
    if (this.heldBytes < this.wantedBytes) return;
    let data = this.held.length === 1 ? chunk : Buffer.concat(this.held);
    if (!this.isOpen) data = this.afterHandshake(data);
    let frame = this.isOpen ? frameIn(data) : undefined;
    while (frame && typeof frame !== 'number') {
      const { opcode, ends, payload, rest } = frame;
      data = rest;
      this.hear({ opcode, ends, payload });
      frame = frameIn(data);
    }
    this.held = data.length > 0 ? [data] : [];
    this.heldBytes = data.length;
    this.wantedBytes = frame ?? 0;
    if (this.wantedBytes > MAX_MESSAGE_BYTES) this.stream.destroy();
  }

  /** Returns what comes behind the gateway's answer; all of it until that is whole. */
  private afterHandshake(data: Buffer): Buffer {
    const end = data.indexOf('\r\n\r\n');
    if (end < 0) {
      if (data.length > MAX_HEAD_BYTES) this.stream.destroy();
      return data;
    }
    const head = data.toString('latin1', 0, end);
    const accept = createHash('sha1')
      .update(this.key + ACCEPT_SUFFIX)
      .digest('base64');
    const accepted = /^sec-websocket-accept:[ \t]*(\S+)[ \t]*$/im.exec(head)?.[1] === accept;
    if (!head.startsWith('HTTP/1.1 101 ') || !accepted) {
      this.stream.destroy();
      return Buffer.alloc(0);
    }
    this.isOpen = true;
    this.onopen?.(undefined as never);
    return data.subarray(end + 4);
  }

  private hear({ opcode, ends, payload }: Frame): void {
    if (opcode === TEXT || opcode === CONTINUATION) {
      this.fragments.push(payload);
      if (!ends) return;
      const whole = this.fragments.length === 1 ? payload : Buffer.concat(this.fragments);
      this.fragments = [];
      this.onmessage?.({ data: whole.toString() });
    } else if (opcode === PING) {
      this.write(PONG, payload);
    } else if (opcode === CLOSE) {
      this.close();
    }
  }

  private write(opcode: number, payload: Buffer): void {
    if (this.stream.destroyed || this.stream.writableEnded) return;
    this.stream.write(masked(opcode, payload));
  }
}

/** The frame at the beginning; where it is not whole, the number of bytes that it has at least. */
function frameIn(data: Buffer): (Frame & { rest: Buffer }) | number {
  if (data.length < 2) return 2;
  const [first = 0, second = 0] = data;
  let start = 2;
  let length = second & 0x7f;
  if (length === 126) start = 4;
  else if (length === 127) start = 10;
  if (data.length < start) return start;
  if (start === 4) length = data.readUInt16BE(2);
  // The upper half is zero for whatever memory holds.
  else if (start === 10) length = data.readUInt32BE(2) * 2 ** 32 + data.readUInt32BE(6);
  const end = start + length;
  if (data.length < end) return end;
  return {
    opcode: first & 0x0f,
    ends: (first & 0x80) !== 0,
    payload: data.subarray(start, end),
    rest: data.subarray(end),
  };
}

/** A frame that is a message of its own; a client's are masked (section 5.3). */
function masked(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  let start = 2;
  if (length >= 0x10000) start = 10;
  else if (length >= 126) start = 4;
  const frame = Buffer.allocUnsafe(start + 4 + length);
  frame[0] = 0x80 | opcode;
  if (start === 2) frame[1] = 0x80 | length;
  else if (start === 4) {
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 0x80 | 127;
    frame.writeUInt32BE(Math.floor(length / 2 ** 32), 2);
    frame.writeUInt32BE(length % 2 ** 32, 6);
  }
  const mask = randomBytes(4);
  mask.copy(frame, start);
  const body = start + 4;
  for (let at = 0; at < length; at += 1) {
    frame[body + at] = (payload[at] ?? 0) ^ (mask[at & 3] ?? 0);
  }
  return frame;
}
