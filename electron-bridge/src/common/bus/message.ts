import {
  CORRELATION_MEMBER,
  EPOCH_MEMBER,
  ID_MEMBER,
  MESSAGE_HEAD,
  PAYLOAD_MEMBER,
  SENDER_MEMBER,
  SEQ_MEMBER,
  TIMESTAMP_MEMBER,
  MESSAGE_TOPIC_HEAD,
} from '../../generated/constants';
import type { MessageParams } from '../../generated/protocol';
import { parseFrame } from '../lines';

/** A message as listeners get it; what it holds is read from its frame when it is asked for. */
export interface Message extends MessageParams {
  /** All members in a plain object: for a copy, or for another thread. */
  toJSON(): MessageParams;
}

const TOPIC_HEAD = `${MESSAGE_TOPIC_HEAD}"`;
const TAIL = '}}';

/** A string without escapes, as a regular expression. */
const TEXT = '"[^"\\\\\\n]*"';

/**
 * The text between the topic and the payload of a message without options. Each string is
 * read up to its own closing quote and has no escapes in it, so nothing that a sender wrote can
 * pass for the members that follow. A frame that is anything else is parsed as a whole.
 */
const PLAIN = new RegExp(
  [
    `${SENDER_MEMBER}\\{"app":${TEXT},"client":${TEXT}\\}`,
    `${EPOCH_MEMBER}${TEXT}${SEQ_MEMBER}\\d+${ID_MEMBER}${TEXT}`,
    `${CORRELATION_MEMBER}${TEXT}${TIMESTAMP_MEMBER}\\d+${PAYLOAD_MEMBER}`,
  ].join(''),
  'y',
);

/** The text between the topic and the sender's app in such a frame. */
const SENDER_HEAD = `${SENDER_MEMBER}{"app":"`;

/** Node's console prints what this method returns. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');
const UNREAD = Symbol('unread');
const KNOWN_TOPICS = 1024;
const ZERO = 48;

interface KnownTopic {
  readonly name: string;
  /** How its frames begin, up to the quote that closes the topic. */
  readonly head: string;
}

/** Whether the frame that begins at `start` begins as the backend's messages do. */
function isMessage(text: string, start: number): boolean {
  return text.slice(start, start + MESSAGE_HEAD.length) === MESSAGE_HEAD;
}

/** Finds the messages among frames, and their topics, without parsing them. */
export class MessageReader {
  private last: KnownTopic = { name: '', head: '\n' };
  private known = new Map<string, KnownTopic>();

  /**
   * The message in the frame that is `text` from `start` to `end`; undefined where the frame does
   * not begin as one. Throws `StreamBrokenError` where it is not JSON, as far as that was seen.
   */
  read(text: string, start: number, end: number): Message | undefined {
    const { head } = this.last;
    if (text.slice(start, start + head.length) === head) {
      return asMessage(this.last.name, text, start, end, start + head.length);
    }
    if (!isMessage(text, start)) return undefined;
    const topic = this.topicAt(text, start, end);
    if (!topic) {
      const { topic: name } = paramsOf(text, start, end);
      return asMessage(name, text, start, end, end);
    }
    this.last = topic;
    return asMessage(topic.name, text, start, end, start + topic.head.length);
  }

  /** The topic as it stands there; undefined where it is not first, or has escapes in it. */
  private topicAt(text: string, start: number, end: number): KnownTopic | undefined {
    const from = start + TOPIC_HEAD.length;
    if (text.slice(start, from) !== TOPIC_HEAD) return undefined;
    const quote = text.indexOf('"', from);
    if (quote < 0 || quote >= end) return undefined;
    const written = text.slice(from, quote);
    if (written.includes('\\')) return undefined;
    const known = this.known.get(written);
    if (known) return known;
    // Parsing makes a string of its own; `written` would hold on to all of `text`.
    const name = parseFrame(text.slice(from - 1, quote + 1)) as string;
    const topic = { name, head: `${TOPIC_HEAD}${name}"` };
    if (this.known.size >= KNOWN_TOPICS) this.known = new Map();
    this.known.set(name, topic);
    return topic;
  }
}

/** The members are accessors of the prototype, so that making one costs next to nothing. */
class ReceivedMessage {
  private parsedPayload: unknown = UNREAD;
  private parsedStamps: MessageParams | undefined;
  private parsedWhole: MessageParams | undefined;
  private payloadAt = 0;

  constructor(
    readonly topic: string,
    private readonly text: string,
    private readonly start: number,
    private readonly end: number,
    /** Where the topic's closing quote was passed; `end` where nobody knows. */
    private readonly restAt: number,
  ) {}

  get payload(): unknown {
    if (this.parsedPayload === UNREAD) this.parsedPayload = this.parsePayload();
    return this.parsedPayload;
  }

  get id(): string {
    return this.stamps().id;
  }

  get sender(): MessageParams['sender'] {
    return this.stamps().sender;
  }

  get timestamp(): number {
    return this.stamps().timestamp;
  }

  get epoch(): string {
    return this.stamps().epoch;
  }

  get seq(): number {
    return this.stamps().seq;
  }

  get correlationId(): string {
    return this.stamps().correlationId;
  }

  get headers(): MessageParams['headers'] {
    return this.stamps().headers;
  }

  get ttl(): number | undefined {
    return this.stamps().ttl;
  }

  get priority(): number | undefined {
    return this.stamps().priority;
  }

  get replyTo(): string | undefined {
    return this.stamps().replyTo;
  }

  get redelivery(): number | undefined {
    return this.stamps().redelivery;
  }

  get _meta(): MessageParams['_meta'] {
    return this.stamps()._meta;
  }

  /** Whether it has no options. */
  get isPlain(): boolean {
    return this.plain();
  }

  /** The seq, without parsing, where the frame goes on with `head` after its sender. */
  seqAfter(head: string): number | undefined {
    const { text, restAt } = this;
    if (!text.startsWith(SENDER_HEAD, restAt)) return undefined;
    // The names of apps and clients have no brackets in them.
    const at = text.indexOf('}', restAt) + 1;
    if (!text.startsWith(head, at)) return undefined;
    return this.numberAt(at + head.length);
  }

  /** When it was published, without parsing; undefined where that is not found. */
  quickTimestamp(): number | undefined {
    // Before it are strings, in which a quote is escaped.
    const at = this.text.indexOf(TIMESTAMP_MEMBER, this.restAt);
    return at < 0 || at > this.end ? undefined : this.numberAt(at + TIMESTAMP_MEMBER.length);
  }

  toJSON(): MessageParams {
    return { ...this.whole(), payload: this.payload };
  }

  [INSPECT](): MessageParams {
    return this.toJSON();
  }

  private numberAt(start: number): number {
    let number = 0;
    for (let at = start; ; at += 1) {
      const digit = this.text.charCodeAt(at) - ZERO;
      if (!(digit >= 0 && digit <= 9)) return number;
      number = number * 10 + digit;
    }
  }

  /** Everything but the payload, and the payload too where it was no dearer. */
  private stamps(): MessageParams {
    this.parsedStamps ??= this.parseStamps();
    return this.parsedStamps;
  }

  private parseStamps(): MessageParams {
    if (!this.plain()) return this.whole();
    const from = this.start + MESSAGE_HEAD.length;
    const members = this.text.slice(from, this.payloadAt - PAYLOAD_MEMBER.length);
    return parseFrame(`${members}}`) as MessageParams;
  }

  private parsePayload(): unknown {
    if (this.plain()) {
      try {
        return JSON.parse(this.text.slice(this.payloadAt, this.end - TAIL.length));
      } catch {
        // The payload is not the last member.
      }
    }
    return this.whole().payload;
  }

  private whole(): MessageParams {
    this.parsedWhole ??= paramsOf(this.text, this.start, this.end);
    return this.parsedWhole;
  }

  /** Whether the frame has the plain form; `payloadAt` is known then. */
  private plain(): boolean {
    if (this.payloadAt === 0) {
      PLAIN.lastIndex = this.restAt;
      this.payloadAt = PLAIN.test(this.text) ? PLAIN.lastIndex : -1;
    }
    return this.payloadAt > 0;
  }
}

/** How a frame goes on after its sender if it is of this run of the backend. */
export function seqHead(epoch: string): string {
  return `${EPOCH_MEMBER}"${epoch}"${SEQ_MEMBER}`;
}

/** The message's seq if it is of that run; undefined if it is of another one. */
export function seqOf(message: Message, epoch: string, head: string): number | undefined {
  const seq = message instanceof ReceivedMessage ? message.seqAfter(head) : undefined;
  if (seq !== undefined) return seq;
  return message.epoch === epoch ? message.seq : undefined;
}

/** When a message was published, Unix ms. */
export function publishedAt(message: Message): number {
  const quick = message instanceof ReceivedMessage ? message.quickTimestamp() : undefined;
  return quick ?? message.timestamp;
}

/** The context that a message carries, without parsing the many that carry none. */
export function traceparentOf(message: Message): string | undefined {
  if (message instanceof ReceivedMessage && message.isPlain) return undefined;
  return message._meta?.traceparent;
}

function asMessage(topic: string, text: string, start: number, end: number, restAt: number) {
  return new ReceivedMessage(topic, text, start, end, restAt) as Message;
}

function paramsOf(text: string, start: number, end: number): MessageParams {
  return parseFrame(text.slice(start + MESSAGE_HEAD.length, end - 1)) as MessageParams;
}
