import { DIRECTED_SEQ, MAX_LAST_SEQS, MESSAGE_HEAD } from '../generated/constants';
import type { Message } from '../common/bus/message';
import { isReload } from './tab-name';
import { OWN_NAMES } from './words';

const TAKEN = `${OWN_NAMES}taken`;

/** The last message of each topic that a page was given, which the next page in its tab goes on from. */
export class ResumePositions {
  private readonly seqs = new Map<string, number>();

  constructor() {
    for (const [topic, seq] of Object.entries(this.before())) this.seqs.set(topic, seq);
  }

  note(text: string): void {
    for (const line of text.split('\n')) {
      if (!line.startsWith(MESSAGE_HEAD)) continue;
      const { params } = JSON.parse(line) as { params: Message };
      if (params.seq >= DIRECTED_SEQ) continue;
      this.seqs.delete(params.topic);
      this.seqs.set(params.topic, params.seq);
    }
  }

  /** Those of the page before a reload. */
  before(): Record<string, number> {
    const kept = isReload() ? sessionStorage.getItem(TAKEN) : null;
    return JSON.parse(kept ?? '{}') as Record<string, number>;
  }

  /** Keeps those of the latest topics for the next page. */
  keep(): void {
    const latest = [...this.seqs].slice(-MAX_LAST_SEQS);
    sessionStorage.setItem(TAKEN, JSON.stringify(Object.fromEntries(latest)));
  }
}
