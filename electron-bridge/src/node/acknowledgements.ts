import type { AckParams } from '../generated/protocol';

const MAX_SEQS = 1000;

/** What of a message says which one it is. */
export interface Numbered {
  readonly topic: string;
  readonly epoch: string;
  readonly seq: number;
}

/** Gathers acknowledgements: those of one turn leave together, in one frame for each topic. */
export class Acknowledgements {
  private seqs = new Map<string, number[]>();
  private epoch = '';

  /** `send` returns whether it could; what could not leave waits for the next `begin`. */
  constructor(private readonly send: (params: AckParams) => boolean) {}

  /** A connection stands. What belongs to an earlier run of the backend is void. */
  begin(epoch: string): void {
    if (epoch !== this.epoch) this.seqs.clear();
    this.epoch = epoch;
    this.flush();
  }

  /** A message of another run, as a replay sends it, is not one that the backend waits for. */
  add({ topic, epoch, seq }: Numbered): void {
    if (epoch !== this.epoch) return;
    if (this.seqs.size === 0) queueMicrotask(() => this.flush());
    const known = this.seqs.get(topic);
    if (known) known.push(seq);
    else this.seqs.set(topic, [seq]);
  }

  flush(): void {
    for (const [topic, seqs] of this.seqs) {
      while (seqs.length > 0) {
        if (!this.send({ topic, seqs: seqs.slice(0, MAX_SEQS) })) return;
        seqs.splice(0, MAX_SEQS);
      }
      this.seqs.delete(topic);
    }
  }
}
