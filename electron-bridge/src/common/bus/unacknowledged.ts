import {
  DIRECTED_SEQ,
  MAX_REDELIVERIES,
  MAX_RUNS,
  MAX_UNACKNOWLEDGED,
} from '../../generated/constants';
import type { ContinueParams } from '../../generated/protocol';
import type { Numbered } from './acknowledgements';
import type { Message } from './message';
import { record } from './runs';
import { matches } from './topics';

interface Sent extends Numbered {
  readonly atMs: number;
}

/**
 * Messages that an app was given and has not acknowledged, over connections and runs. A
 * bounded number; beyond, the oldest are forgotten, and come again no more. One that came for the
 * last time is not among them: it is dead unless it is acknowledged now.
 */
export class UnacknowledgedMessages {
  private readonly patterns = new Set<string>();
  private readonly messages = new Map<string, Sent>();
  private lastTopic: string | undefined;
  private lastCounts = false;

  /** Whether messages on this pattern are to be acknowledged from now on. */
  join(pattern: string, acknowledged: boolean): void {
    if (acknowledged) this.patterns.add(pattern);
    else this.leave(pattern);
    this.lastTopic = undefined;
  }

  leave(pattern: string): void {
    if (!this.patterns.delete(pattern)) return;
    this.lastTopic = undefined;
    for (const [key, { topic }] of this.messages) {
      if (!this.counts(topic)) this.messages.delete(key);
    }
  }

  /** Messages to one app alone are in no log, and so don't count. */
  arrived(message: Message): void {
    if (this.patterns.size === 0 || !this.counts(message.topic)) return;
    const { topic, epoch, seq, redelivery = 0, timestamp: atMs } = message;
    if (seq >= DIRECTED_SEQ) return;
    const key = keyOf(message);
    if (redelivery >= MAX_REDELIVERIES) {
      this.messages.delete(key);
      return;
    }
    this.messages.set(key, { topic, epoch, seq, atMs });
    if (this.messages.size <= MAX_UNACKNOWLEDGED) return;
    const [oldest] = this.messages.keys();
    if (oldest !== undefined) this.messages.delete(oldest);
  }

  acknowledged(message: Numbered): void {
    this.messages.delete(keyOf(message));
  }

  /** Those on a pattern, as `bus.continue` wants them told. */
  behind(pattern: string): Pick<ContinueParams, 'unacknowledged'> {
    const fitting = [...this.messages.values()].filter(({ topic }) => matches(pattern, topic));
    const runs = [...new Set(fitting.map(({ epoch }) => epoch))].slice(-MAX_RUNS);
    const told = fitting.filter(({ epoch }) => runs.includes(epoch));
    if (told.length === 0) return {};
    const seqs = record<Record<string, number[]>>();
    for (const { topic, epoch, seq } of told) {
      const topics = (seqs[epoch] ??= record<number[]>());
      (topics[topic] ??= []).push(seq);
    }
    return { unacknowledged: { since: Math.min(...told.map(({ atMs }) => atMs)), seqs } };
  }

  private counts(topic: string): boolean {
    if (topic !== this.lastTopic) {
      this.lastTopic = topic;
      this.lastCounts = [...this.patterns].some((pattern) => matches(pattern, topic));
    }
    return this.lastCounts;
  }
}

function keyOf({ epoch, seq, topic }: Numbered): string {
  return `${epoch} ${seq} ${topic}`;
}
