const NEWLINE = 10;

/** A frame from the backend holds a message of up to 4 MiB and its envelope. */
export const MAX_LINE_BYTES = 5 * 1024 * 1024;

/** The stream can't be cut into frames any more; the connection has to end. */
export class StreamBrokenError extends Error {}

/**
 * Cuts a byte stream into lines, each decoded once and straight from the chunk it came in.
 *
 * A chunk may be reused by its owner after `feed` returned: what is held over is copied.
 */
export class LineDecoder {
  private held: Buffer[] = [];
  private heldBytes = 0;

  constructor(private readonly onLine: (line: string) => void) {}

  /** Throws `StreamBrokenError` where a line is over the limit. */
  feed(chunk: Buffer): void {
    let start = 0;
    let end = chunk.indexOf(NEWLINE);
    if (end >= 0 && this.heldBytes > 0) {
      this.held.push(chunk.subarray(0, end));
      const line = Buffer.concat(this.held).toString();
      this.held = [];
      this.heldBytes = 0;
      this.onLine(line);
      start = end + 1;
      end = chunk.indexOf(NEWLINE, start);
    }
    while (end >= 0) {
      if (end > start) this.onLine(chunk.toString('utf8', start, end));
      start = end + 1;
      end = chunk.indexOf(NEWLINE, start);
    }
    if (start < chunk.length) this.hold(chunk.subarray(start));
  }

  private hold(rest: Buffer): void {
    this.heldBytes += rest.length;
    if (this.heldBytes > MAX_LINE_BYTES) throw new StreamBrokenError('line over limit');
    this.held.push(Buffer.from(rest));
  }
}
