import { MAX_ACKNOWLEDGED_SEQS } from '../../generated/constants';
import type { AckParams } from '../../generated/protocol';

/** The members of a message that identify it. */
export interface Numbered {
  readonly topic: string;
  readonly epoch: string;
  readonly seq: number;
}

/** Gathers acknowledgements: those of one turn leave together, in one frame for each topic. */
export class Acknowledgements {
  private gathered = new Map<string, AckParams>();
  private epoch = '';

  /** `send` returns whether it could; what could not leave waits for the next `begin`. */
  constructor(private readonly send: (params: AckParams) => boolean) {}

  /** A connection stands. What was gathered for an earlier run of the backend is void. */
  begin(epoch: string): void {
    if (epoch !== this.epoch) this.gathered.clear();
    this.epoch = epoch;
    this.flush();
  }

  /** The message may be of an earlier run, out of whose log it came. */
  add({ topic, epoch, seq }: Numbered): void {
    if (this.gathered.size === 0) queueMicrotask(() => this.flush());
    const key = epoch === this.epoch ? topic : `${topic} ${epoch}`;
    const known = this.gathered.get(key);
    if (known) known.seqs.push(seq);
    else if (epoch === this.epoch) this.gathered.set(key, { topic, seqs: [seq] });
    else this.gathered.set(key, { topic, seqs: [seq], epoch });
  }

  flush(): void {
    for (const [key, { seqs, ...which }] of this.gathered) {
      while (seqs.length > 0) {
        if (!this.send({ ...which, seqs: seqs.slice(0, MAX_ACKNOWLEDGED_SEQS) })) return;
        seqs.splice(0, MAX_ACKNOWLEDGED_SEQS);
      }
      this.gathered.delete(key);
    }
  }
}
