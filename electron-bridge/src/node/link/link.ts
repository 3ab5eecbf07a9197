import type { Methods } from '../../generated/protocol';
import type { Codec, Encoding } from './codec';
import type { LineOutput } from './line';
import { monotonicMs, startTimer } from './clock';
import { Batching, type BatchOptions, type BatchStats } from '../../common/bus/batching';
import { asDeskbusError, DeskbusError } from '../../common/error';
import { checkSize, toJson } from '../../common/json';
import { EncodedLineDecoder } from '../../common/encoded-lines';
import { LineDecoder, parseFrame, StreamBrokenError } from '../../common/lines';
import { MESSAGE_HEAD, PAYLOAD_MEMBER } from '../../generated/constants';
import { MessageReader, type Message } from '../../common/bus/message';

type HandledBy<Side extends string> = {
  [Name in keyof Methods]: Methods[Name]['handledBy'] extends Side ? Name : never;
}[keyof Methods];

export type BackendMethod = HandledBy<'backend'>;
export type Params<Name extends keyof Methods> = Methods[Name]['params'];
export type Result<Name extends keyof Methods> = Methods[Name]['result'];

/** Arguments behind a method's name: params may be left out where none of them is needed. */
export type CallArguments<Name extends BackendMethod, Options> =
  Partial<Params<Name>> extends Params<Name>
    ? [params?: Params<Name>, options?: Options]
    : [params: Params<Name>, options?: Options];

/** As much of an `AbortSignal` as is needed, which Node 12 does not have. */
export interface CancelSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface CallOptions {
  /** Milliseconds; without it a call waits until it is answered or the connection ends. */
  timeout?: number;
  /** Ends the call: it rejects with cancelled, and the other side is told. */
  signal?: CancelSignal;
}

export interface CallContext {
  /** Called when the backend no longer wants the answer. */
  onCancel(listener: () => void): void;
}

export type Handler = (params: unknown, context: CallContext) => unknown;

export interface LinkHooks {
  /** Limits of what leaves together; its counters go on where an earlier link left off. */
  batching?: { limits: BatchOptions; stats: BatchStats };
  /** Compresses and decompresses frames, as soon as the backend has agreed. */
  codec?: Codec;
  onMessage?(message: Message): void;
  /** Takes the frames of `bus.message` unparsed, in place of `onMessage`. */
  onMessageLine?(line: string): void;
  /** Says of each message whether it is handed on; is told when all that had arrived were. */
  onArrival?(message: Message): boolean;
  onBlockEnd?(): void;
  onNotification(method: string, params: unknown): void;
  onClose(): void;
}

interface Pending {
  /** Whether the result is wanted as JSON. */
  readonly asJson: boolean;
  resolve(result: unknown): void;
  reject(error: DeskbusError): void;
}

interface Frame {
  id?: unknown;
  method?: unknown;
  params?: unknown;
  result?: unknown;
  error?: unknown;
}

/** How an answer begins, up to its id; and what stands between that and its result. */
const ANSWER_HEAD = '{"jsonrpc":"2.0","id":';
const RESULT_MEMBER = ',"result":';

/** As much as stands around the result of an answer, but for its id. */
const ENVELOPE = '{"jsonrpc":"2.0","id":,}';
const PUBLISH_HEAD = '{"jsonrpc":"2.0","method":"bus.publish","params":{"topic":';

/** Frames of one turn are written together; a longer run of them is written in pieces. */
const BATCH: Required<BatchOptions> = { count: 65_536, characters: 64 * 1024, delayMs: 0 };
const TURN = { now: monotonicMs, atEndOfTurn: (then: () => void) => process.nextTick(then) };
/** A sender should wait while more than this lies unwritten. */
const HIGH_WATER_BYTES = 512 * 1024;

/** JSON-RPC 2.0 in newline-delimited frames, both ways, over any pair of streams. */
export class Link {
  private readonly decoder: Pick<LineDecoder, 'feed'>;
  private readonly messages = new MessageReader();
  private readonly pending = new Map<number, Pending>();
  private readonly handlers = new Map<string, Handler>();
  private readonly answering = new Map<string, () => void>();
  private publishTopic = '';
  private publishHead = `${PUBLISH_HEAD}""${PAYLOAD_MEMBER}`;
  private lastId = 0;
  private batch = '';
  private readonly batching: Batching;
  private closed = false;
  private encoding: Encoding | undefined;

  constructor(
    private readonly output: LineOutput,
    private readonly hooks: LinkHooks,
  ) {
    const lines = new LineDecoder((block) => this.take(block));
    const { codec } = hooks;
    this.decoder = codec
      ? new EncodedLineDecoder(lines, (encoding, body) => codec.decode(encoding, body))
      : lines;
    const { limits = {}, stats } = hooks.batching ?? {};
    this.batching = new Batching(() => this.writeBatch(), TURN, BATCH, stats);
    this.batching.set(limits);
    output.on('error', () => this.close());
    output.on('close', () => this.close());
    this.handle('session.ping', () => ({}));
  }

  /** Takes what arrived. The chunk is not kept. */
  feed(chunk: Buffer): void {
    if (this.closed) return;
    try {
      this.decoder.feed(chunk);
    } catch (error) {
      if (!(error instanceof StreamBrokenError)) throw error;
      this.output.destroy();
      this.close();
    }
  }

  /** Takes whole lines that arrived as text. */
  feedLines(block: string): void {
    if (this.closed) return;
    try {
      this.take(block.endsWith('\n') ? block : `${block}\n`);
    } catch (error) {
      if (!(error instanceof StreamBrokenError)) throw error;
      this.output.destroy();
      this.close();
    }
  }

  /** Compresses long frames from now on. */
  encodeAs(encoding: Encoding): void {
    this.encoding = encoding;
  }

  handle(method: string, handler: Handler): void {
    this.handlers.set(method, handler);
  }

  /**
   * Rejects with the backend's error; with timeout, cancelled or connection_lost; with
   * invalid_params or too_large for what it would refuse unread.
   */
  call<Name extends BackendMethod>(
    method: Name,
    params: Params<Name>,
    options: CallOptions = {},
  ): Promise<Result<Name>> {
    try {
      return this.callWith(method, toJson(params), options);
    } catch (error) {
      return Promise.reject(asDeskbusError(error));
    }
  }

  /** As `call`, with the parameters as JSON. */
  callWith<Name extends BackendMethod>(
    method: Name,
    params: string,
    options: CallOptions = {},
  ): Promise<Result<Name>> {
    return this.ask(method, params, options, false) as Promise<Result<Name>>;
  }

  /** As `callWith`, with the result as JSON too. */
  callJson(method: BackendMethod, params: string, options: CallOptions = {}): Promise<string> {
    return this.ask(method, params, options, true) as Promise<string>;
  }

  private ask(
    method: BackendMethod,
    params: string,
    options: CallOptions,
    asJson: boolean,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.closed) {
        reject(DeskbusError.of('connection_lost'));
        return;
      }
      if (options.signal?.aborted) {
        reject(DeskbusError.of('cancelled'));
        return;
      }
      const id = ++this.lastId;
      const head = `{"jsonrpc":"2.0","id":${id},"method":"${method}","params":`;
      const frame = `${head}${params}}`;
      checkSize(frame);
      const release = this.limit(id, options);
      this.pending.set(id, {
        asJson,
        resolve: (result) => {
          release();
          resolve(result);
        },
        reject: (error) => {
          release();
          reject(error);
        },
      });
      this.write(frame);
    });
  }

  /** Throws connection_lost where there is nobody to tell, invalid_params and too_large. */
  notify<Name extends BackendMethod>(method: Name, params: Params<Name>): void {
    this.notifyWith(method, toJson(params));
  }

  /** As `notify`, with the parameters as JSON. */
  notifyWith(method: BackendMethod, params: string): void {
    this.post(`{"jsonrpc":"2.0","method":"${method}","params":${params}}`);
  }

  /** `bus.publish` as a notification, of `payload` as JSON; `rest` is further members as JSON, each after a comma. */
  publish(topic: string, payload: string, rest: string): void {
    if (topic !== this.publishTopic) {
      this.publishHead = `${PUBLISH_HEAD}${toJson(topic)}${PAYLOAD_MEMBER}`;
      this.publishTopic = topic;
    }
    this.post(`${this.publishHead}${payload}${rest}}}`);
  }

  /** Whether so much lies unwritten that a sender should wait. */
  get full(): boolean {
    return this.output.writableLength + this.batch.length > HIGH_WATER_BYTES;
  }

  /** Resolves when there is room again; rejects with connection_lost. */
  async drained(): Promise<void> {
    this.flush();
    while (!this.closed && this.full) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.output.removeListener('drain', done);
          this.output.removeListener('close', done);
          resolve();
        };
        this.output.on('drain', done);
        this.output.on('close', done);
      });
    }
    if (this.closed) throw DeskbusError.of('connection_lost');
  }

  /** Writes what was gathered. */
  flush(): void {
    this.batching.flush();
  }

  /** Ends the link: every waiting call rejects with connection_lost. */
  close(): void {
    if (this.closed) return;
    this.flush();
    this.closed = true;
    const lost = DeskbusError.of('connection_lost');
    for (const waiter of this.pending.values()) waiter.reject(lost);
    this.pending.clear();
    for (const cancel of this.answering.values()) cancel();
    this.answering.clear();
    this.hooks.onClose();
  }

  private post(frame: string): void {
    if (this.closed) throw DeskbusError.of('connection_lost');
    checkSize(frame);
    this.write(frame);
  }

  private write(frame: string): void {
    this.batch += frame;
    this.batch += '\n';
    this.batching.add(frame.length + 1);
  }

  private writeBatch(): void {
    const { batch } = this;
    this.batch = '';
    if (this.closed) return;
    if (this.encoding && this.hooks.codec)
      this.writeEncoded(batch, this.encoding, this.hooks.codec);
    else this.output.write(batch);
  }

  /** Writes long frames compressed, the others between them as they are. */
  private writeEncoded(batch: string, encoding: Encoding, codec: Codec): void {
    let plainFrom = 0;
    let start = 0;
    while (start < batch.length) {
      const end = batch.indexOf('\n', start);
      const block = codec.encode(encoding, batch.slice(start, end));
      if (block) {
        if (start > plainFrom) this.output.write(batch.slice(plainFrom, start));
        this.output.write(block);
        plainFrom = end + 1;
      }
      start = end + 1;
    }
    if (plainFrom < batch.length) this.output.write(batch.slice(plainFrom));
  }

  /** Ends a call that takes too long, or is not wanted any more; returns what stops that. */
  private limit(id: number, { timeout, signal }: CallOptions): () => void {
    const abort = (): void => this.giveUp(id, 'cancelled');
    signal?.addEventListener('abort', abort);
    const timer = startTimer(timeout, () => this.giveUp(id, 'timeout'));
    return () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    };
  }

  private giveUp(id: number, why: 'cancelled' | 'timeout'): void {
    const waiter = this.pending.get(id);
    if (!waiter) return;
    this.pending.delete(id);
    this.write(`{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":${id}}}`);
    waiter.reject(DeskbusError.of(why));
  }

  /** Takes a block of lines. */
  private take(block: string): void {
    let start = 0;
    while (start < block.length) {
      const end = block.indexOf('\n', start);
      if (end > start && !this.takeMessage(block, start, end)) this.receive(block, start, end);
      start = end + 1;
    }
    this.hooks.onBlockEnd?.();
  }

  /** Takes the frame if it is a message in the compact form, in which the backend sends them. */
  private takeMessage(text: string, start: number, end: number): boolean {
    const message = this.messages.read(text, start, end);
    if (!message) return false;
    if (this.hooks.onArrival && !this.hooks.onArrival(message)) return true;
    if (this.hooks.onMessageLine) this.hooks.onMessageLine(text.slice(start, end));
    else this.hooks.onMessage?.(message);
    return true;
  }

  private receive(text: string, start: number, end: number): void {
    if (this.settleUnparsed(text, start, end)) return;
    const frame = parseFrame(text.slice(start, end)) as Frame;
    if (typeof frame.method !== 'string') this.settle(frame);
    else if (frame.id !== undefined) void this.answer(frame.method, frame.params, frame.id);
    else if (frame.method === 'bus.message') {
      const compact = `${MESSAGE_HEAD}${JSON.stringify(frame.params)}}`;
      this.takeMessage(compact, 0, compact.length);
    } else if (frame.method === '$/cancelRequest') this.cancel(frame.params);
    else this.hooks.onNotification(frame.method, frame.params);
  }

  /** Whether the frame was an answer, as the backend writes them, to a call that wants JSON. */
  private settleUnparsed(text: string, start: number, end: number): boolean {
    if (!text.startsWith(ANSWER_HEAD, start)) return false;
    const comma = text.indexOf(',', start + ANSWER_HEAD.length);
    if (!text.startsWith(RESULT_MEMBER, comma)) return false;
    const id = Number(text.slice(start + ANSWER_HEAD.length, comma));
    const waiter = this.pending.get(id);
    if (!waiter?.asJson) return false;
    this.pending.delete(id);
    waiter.resolve(text.slice(comma + RESULT_MEMBER.length, end - 1));
    return true;
  }

  private settle(frame: Frame): void {
    if (frame.id === null && frame.error !== undefined) this.tellRefused(frame.error);
    if (typeof frame.id !== 'number') return;
    const waiter = this.pending.get(frame.id);
    if (!waiter) return;
    this.pending.delete(frame.id);
    if (frame.error !== undefined) waiter.reject(DeskbusError.from(frame.error));
    else waiter.resolve(waiter.asJson ? JSON.stringify(frame.result) : frame.result);
  }

  /** A frame from here was refused, and nobody can say which. */
  private tellRefused(refused: unknown): void {
    const { code, message, action } = DeskbusError.from(refused);
    this.hooks.onNotification('bus.refused', { method: '', code, message, action, count: 1 });
  }

  /** Answers a call of the backend's, once: with the handler's word, or with cancelled. */
  private async answer(method: string, params: unknown, id: unknown): Promise<void> {
    const key = JSON.stringify(id);
    const cancelListeners: (() => void)[] = [];
    const reply = (member: string): void => {
      if (this.answering.delete(key) && !this.closed) {
        this.write(`{"jsonrpc":"2.0","id":${key},${member}}`);
      }
    };
    this.answering.set(key, () => {
      for (const listener of cancelListeners) listener();
      reply(errorMember(DeskbusError.of('cancelled')));
    });
    try {
      const handler = this.handlers.get(method);
      if (!handler) throw DeskbusError.of('method_not_found');
      const result = await handler(params, {
        onCancel: (listener) => void cancelListeners.push(listener),
      });
      const member = `"result":${toJson(result)}`;
      checkSize(`${member}${ENVELOPE}${key}`);
      reply(member);
    } catch (error) {
      reply(errorMember(asDeskbusError(error)));
    }
  }

  private cancel(params: unknown): void {
    const id = (params as { id?: unknown } | null | undefined)?.id;
    this.answering.get(JSON.stringify(id))?.();
  }
}

function errorMember(error: DeskbusError): string {
  return `"error":${JSON.stringify(error.toObject())}`;
}
