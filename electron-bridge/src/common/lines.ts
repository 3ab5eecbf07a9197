import { MAX_DELIVERED_FRAME_BYTES } from '../generated/constants';

const NEWLINE = 10;

/**
 * Lines are decoded so many at a time. Decoding is dearer by the call than by the byte; but a
 * message that is kept holds on to all that was decoded with it.
 */
const BLOCK_BYTES = 16 * 1024;

/** The stream can't be cut into frames any more; the connection has to end. */
export class StreamBrokenError extends Error {}

/** Throws `StreamBrokenError`. */
export function parseFrame(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new StreamBrokenError('not JSON');
  }
}

/**
 * Cuts a byte stream into blocks of whole lines, each line with its newline.
 *
 * A chunk may be reused by its owner after `feed` returned, or by what a listener sets going:
 * all of it is decoded or copied first.
 */
export class LineDecoder {
  private held: Buffer[] = [];
  private heldBytes = 0;

  constructor(private readonly onLines: (block: string) => void) {}

  /** Throws `StreamBrokenError` where a line is over the limit. */
  feed(chunk: Buffer): void {
    const end = chunk.lastIndexOf(NEWLINE) + 1;
    if (end === 0) {
      this.hold(chunk);
      return;
    }
    const blocks: string[] = [];
    let start = 0;
    if (this.heldBytes > 0) {
      start = chunk.indexOf(NEWLINE) + 1;
      blocks.push(Buffer.concat([...this.held, chunk.subarray(0, start)]).toString());
      this.held = [];
      this.heldBytes = 0;
    }
    while (start < end) {
      const cut = endOfBlock(chunk, start, end);
      blocks.push(chunk.toString('utf8', start, cut));
      start = cut;
    }
    if (end < chunk.length) this.hold(chunk.subarray(end));
    for (const block of blocks) this.onLines(block);
  }

  private hold(rest: Buffer): void {
    this.heldBytes += rest.length;
    if (this.heldBytes > MAX_DELIVERED_FRAME_BYTES) throw new StreamBrokenError('line over limit');
    this.held.push(Buffer.from(rest));
  }
}

/** Where a block that begins at `start` ends: after the last line that it has room for. */
function endOfBlock(chunk: Buffer, start: number, end: number): number {
  if (end - start <= BLOCK_BYTES) return end;
  const last = chunk.lastIndexOf(NEWLINE, start + BLOCK_BYTES - 1) + 1;
  return last > start ? last : chunk.indexOf(NEWLINE, start) + 1;
}
