import type { GapParams } from '../generated/protocol';
import { seqHead, seqOf, type Message } from './message';

/** `session.resume` takes no more. */
const MAX_TOPICS = 10_000;
/** Messages to one app alone are numbered from here on, across all topics. */
const DIRECT_SEQ = 2 ** 40;

/** The last message of each topic that came in this run of the backend. */
export class LastSeqs {
  private readonly seqs = new Map<string, number>();
  /** Topics of which messages may be missing that nobody told of. */
  private readonly unsure = new Set<string>();
  private epoch = '';
  private head = '';
  private last: Message | undefined;

  constructor(private readonly onGap: (gap: GapParams) => void) {}

  /** From here on the backend does not know what has come, unless `begin` says that it did. */
  doubt(): void {
    this.settle();
    for (const topic of this.seqs.keys()) this.unsure.add(topic);
  }

  /** A connection stands; `complete` says that the backend knew what had come before. */
  begin(epoch: string, complete: boolean): void {
    if (epoch !== this.epoch) this.seqs.clear();
    if (epoch !== this.epoch || complete) this.unsure.clear();
    this.epoch = epoch;
    this.head = seqHead(epoch);
  }

  /** Of messages of one topic that follow each other only the last is looked into. */
  arrived(message: Message): void {
    if (this.last && this.last.topic !== message.topic) this.settle();
    this.last = message;
    if (this.unsure.size > 0 && this.unsure.has(message.topic)) this.settle();
  }

  /** To be called before anything is asked here, and so that no message is held on to. */
  settle(): void {
    const { last } = this;
    this.last = undefined;
    if (!last) return;
    const seq = seqOf(last, this.epoch, this.head);
    if (seq !== undefined && seq < DIRECT_SEQ) this.note(last.topic, seq);
  }

  /** Topics with their numbers, as `session.resume` takes them. */
  all(): Record<string, number> {
    const all: Record<string, number> = Object.create(null) as Record<string, number>;
    for (const [topic, seq] of this.seqs) all[topic] = seq;
    return all;
  }

  private note(topic: string, seq: number): void {
    const before = this.seqs.get(topic);
    if (before === undefined && this.seqs.size >= MAX_TOPICS) {
      const [oldest] = this.seqs.keys();
      if (oldest !== undefined) this.seqs.delete(oldest);
    }
    if (before !== undefined && this.unsure.delete(topic) && seq > before + 1) {
      const { epoch } = this;
      this.onGap({ topic, epoch, first: before + 1, last: seq - 1, reason: 'disconnected' });
    }
    // What came again, or out of a replay, has a number that was passed already.
    if (before === undefined || seq > before) this.seqs.set(topic, seq);
  }
}
