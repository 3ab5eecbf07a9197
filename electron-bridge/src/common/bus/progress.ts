import { DIRECTED_SEQ, MAX_LAST_SEQS, MAX_RUNS } from '../../generated/constants';
import type { ContinueParams, GapParams, Mark } from '../../generated/protocol';
import { publishedAt, seqHead, seqOf, type Message } from './message';
import { record } from './runs';
import { matches } from './topics';
import { UnacknowledgedMessages } from './unacknowledged';

/** Known of a run that nothing more is to be expected of. */
const LAST_SEQ = DIRECTED_SEQ - 1;

/** The last seq of one topic in one run; the last message's run, and when it was published. */
interface Seen {
  epoch: string;
  seq: number;
  run: string;
  atMs: number;
  /** The last seqs of other runs. */
  readonly others: Map<string, number>;
}

/** The messages owed on a pattern, in the form of `bus.continue`. */
export type Behind = Pick<ContinueParams, 'mark' | 'since' | 'partial' | 'seen' | 'unacknowledged'>;

/**
 * How far a client has come with each topic, over connections and runs of the backend.
 *
 * A pattern flows while what arrives on it has no hole behind it. After a loss a pattern is owed
 * what it has not had since its mark, the moment at which the backend said that it began. It is
 * settled when the session was taken up with it, or when
 * `bus.continue` is answered. Until one of these begins to send what is owed, messages that only
 * such patterns bring are passed over: they come again.
 */
export class DeliveryProgress {
  readonly unacknowledged = new UnacknowledgedMessages();
  private readonly topics = new Map<string, Seen>();
  private readonly joined = new Map<string, Mark | undefined>();
  private readonly owed = new Set<string>();
  private readonly whole = new Set<string>();
  private flowing = new Set<string>();
  /** Those in which there was a session, the last one first. */
  private runs: string[] = [];
  private epoch = '';
  private head = '';
  private last: Message | undefined;
  private lastSeq = 0;
  /** Whether there were more topics than are kept. */
  private forgot = false;

  /** A subscription is about to be asked for. Returns whether there was none before. */
  join(pattern: string): boolean {
    if (this.joined.has(pattern)) return false;
    this.joined.set(pattern, undefined);
    return true;
  }

  /** The backend has the subscription, and nothing from before `mark` is owed on it. */
  settle(pattern: string, mark: Mark): void {
    const wasOwed = this.owed.delete(pattern);
    if (!this.joined.has(pattern)) return;
    this.joined.set(pattern, mark);
    this.whole.add(pattern);
    if (wasOwed || this.owed.size === 0) this.flowing.add(pattern);
    if (wasOwed && this.owed.size === 0) this.forgetRuns();
  }

  leave(pattern: string): void {
    this.unacknowledged.leave(pattern);
    this.joined.delete(pattern);
    this.owed.delete(pattern);
    this.whole.delete(pattern);
    this.flowing.delete(pattern);
  }

  /** The connection ended, with whatever was on its way. */
  lose(): void {
    this.settleLast();
    for (const pattern of this.joined.keys()) this.owed.add(pattern);
    this.flowing = new Set(this.whole);
  }

  /**
   * A session was opened, in this run of the backend. What it says to have resumed may be one
   * that this client never knew it had. Returns whether it was taken up.
   */
  open(epoch: string, resumed: boolean): boolean {
    this.settleLast();
    const takenUp = resumed && epoch === this.epoch;
    if (takenUp) for (const pattern of this.whole) this.owed.delete(pattern);
    else {
      this.whole.clear();
      this.flowing.clear();
    }
    if (epoch !== this.epoch) {
      // The run that has ended may have had more messages of a topic than were seen.
      for (const topic of this.topics.keys()) this.note(topic, this.epoch, 0, 0);
      this.runs = [epoch, ...this.runs].slice(0, MAX_RUNS);
    }
    this.epoch = epoch;
    this.head = seqHead(epoch);
    return takenUp;
  }

  /** The messages that follow on a pattern are those it was owed. */
  begin(pattern: string): void {
    if (this.owed.has(pattern)) this.flowing.add(pattern);
  }

  /**
   * The messages a pattern is owed; undefined for none. Runs in which this client had no
   * session are nobody's to tell it of.
   */
  behind(pattern: string): Behind | undefined {
    const mark = this.joined.get(pattern);
    if (!mark || !this.owed.has(pattern)) return undefined;
    const fitting = [...this.topics.keys()].filter((topic) => matches(pattern, topic));
    const seen: NonNullable<Behind['seen']> = {};
    let left = MAX_LAST_SEQS;
    for (const epoch of this.runs) {
      const seqs = record<number>();
      const told = fitting.filter((topic) => (this.known(topic, epoch) ?? LAST_SEQ) < LAST_SEQ);
      for (const topic of told.slice(-left)) seqs[topic] = this.known(topic, epoch) ?? 0;
      const { length } = Object.keys(seqs);
      left -= length;
      if (length > 0) seen[epoch] = seqs;
      if (left <= 0) break;
    }
    const partial = this.forgot ? { partial: true, since: this.lastAt(pattern, mark) } : {};
    return { mark, seen, ...partial, ...this.unacknowledged.behind(pattern) };
  }

  /**
   * Is told each message; says whether it is to be delivered. While nothing is owed that is all
   * of them, and of messages of one topic that follow each other only the highest is noted.
   */
  arrived(message: Message): boolean {
    if (this.owed.size === 0) this.hold(message);
    else {
      this.settleLast();
      if (!this.isNew(message)) return false;
    }
    this.unacknowledged.arrived(message);
    return true;
  }

  /** To be called before anything is asked here, and so that no message is held on to. */
  settleLast(): void {
    const { last } = this;
    if (!last) return;
    this.last = undefined;
    this.note(last.topic, this.epoch, this.lastSeq, publishedAt(last));
  }

  private hold(message: Message): void {
    if (this.last && this.last.topic !== message.topic) this.settleLast();
    const seq = seqOf(message, this.epoch, this.head);
    // Messages of another run come out of a replay that somebody asked for, and what comes again
    // has a number that was passed.
    if (seq === undefined || seq >= DIRECTED_SEQ || (this.last && seq <= this.lastSeq)) return;
    this.last = message;
    this.lastSeq = seq;
  }

  /** The last message of each topic in this run, as `session.resume` takes them. */
  lastSeqs(): Record<string, number> {
    const all = record<number>();
    for (const topic of this.topics.keys()) {
      const seq = this.known(topic, this.epoch);
      if (seq) all[topic] = seq;
    }
    return all;
  }

  /** The part of a gap that is news; undefined where that is none of it. */
  clip(gap: GapParams): GapParams | undefined {
    if (gap.reason !== 'disconnected' && gap.reason !== 'restarted') return gap;
    this.settleLast();
    const { topic, epoch, last, reason } = gap;
    const known = this.known(topic, epoch);
    if (known === undefined) return gap;
    const first = Math.max(gap.first, known + 1);
    if (first > last) return undefined;
    if (reason === 'restarted') this.note(topic, epoch, last, 0);
    return { topic, epoch, first, last, reason };
  }

  private isNew(message: Message): boolean {
    const { topic, epoch, seq, timestamp, redelivery } = message;
    if (seq >= DIRECTED_SEQ) return true;
    if (this.isEarly(topic)) return false;
    const known = this.known(topic, epoch);
    if (known !== undefined && seq <= known) return redelivery !== undefined;
    this.note(topic, epoch, seq, timestamp);
    return true;
  }

  /** Whether a topic is of owed patterns alone, none of which flows yet. */
  private isEarly(topic: string): boolean {
    const fits = (pattern: string): boolean => matches(pattern, topic);
    const awaited = [...this.owed].filter((pattern) => !this.flowing.has(pattern));
    return awaited.some(fits) && ![...this.flowing].some(fits);
  }

  /** All of a topic but this one, and that of the last message. */
  private forgetRuns(): void {
    for (const { others, run } of this.topics.values()) {
      for (const epoch of [...others.keys()]) {
        if (epoch !== run && epoch !== this.epoch) others.delete(epoch);
      }
    }
  }

  private lastAt(pattern: string, mark: Mark): number {
    let last = mark.timestamp;
    for (const [topic, { atMs }] of this.topics) {
      if (atMs > last && matches(pattern, topic)) last = atMs;
    }
    return last;
  }

  private known(topic: string, epoch: string): number | undefined {
    const seen = this.topics.get(topic);
    return seen?.epoch === epoch ? seen.seq : seen?.others.get(epoch);
  }

  private note(topic: string, epoch: string, seq: number, atMs: number): void {
    const seen = this.topics.get(topic);
    if (!seen) {
      if (this.topics.size >= MAX_LAST_SEQS) {
        forgetOldest(this.topics);
        this.forgot = true;
      }
      this.topics.set(topic, { epoch, seq, run: epoch, atMs, others: new Map() });
      return;
    }
    if (seen.epoch !== epoch) {
      seen.others.set(seen.epoch, seen.seq);
      seen.seq = seen.others.get(epoch) ?? 0;
      seen.others.delete(epoch);
      seen.epoch = epoch;
      if (seen.others.size >= MAX_RUNS) forgetOldest(seen.others);
    }
    // A repeated message may be of a run that was forgotten already.
    if (atMs > 0 && atMs >= seen.atMs) seen.run = epoch;
    // A repeated message has a number that was passed already.
    seen.seq = Math.max(seen.seq, seq);
    seen.atMs = Math.max(seen.atMs, atMs);
  }
}

function forgetOldest(known: Map<string, unknown>): void {
  const [oldest] = known.keys();
  if (oldest !== undefined) known.delete(oldest);
}
