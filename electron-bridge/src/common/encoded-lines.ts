import { MAX_DELIVERED_FRAME_BYTES, MAX_HEADER_BYTES } from '../generated/constants';
import { StreamBrokenError, type LineDecoder } from './lines';

const NEWLINE = 10;
const HEADER_END = '\r\n\r\n';
/** Between a line and the header of an encoded frame: no JSON begins with a letter of a header. */
const HEADER_BEGINS = '\nC';
const HEADER = /^Content-Length: (\d{1,15})\r\nContent-Encoding: ([a-z]+)$/;

/**
 * Cuts a stream of lines among which frames in a content coding stand: blocks of the base protocol of
 * the Language Server Protocol with one more header.
 */
export class EncodedLineDecoder {
  /** The part of an encoded frame that is there. */
  private held: Buffer = Buffer.alloc(0);
  private isAtStart = true;

  constructor(
    private readonly lines: LineDecoder,
    private readonly decode: (encoding: string, body: Buffer) => Buffer,
  ) {}

  /** Throws `StreamBrokenError`. */
  feed(chunk: Buffer): void {
    // A copy: what a listener sets going may reuse the chunk.
    let rest = Buffer.concat([this.held, chunk]);
    this.held = Buffer.alloc(0);
    while (rest.length > 0) {
      const used = this.isAtStart && isLetter(rest[0]) ? this.encoded(rest) : this.plain(rest);
      if (used === 0) {
        this.held = rest;
        return;
      }
      rest = rest.subarray(used);
    }
  }

  private plain(rest: Buffer): number {
    const end = rest.indexOf(HEADER_BEGINS) + 1;
    const lines = end === 0 ? rest : rest.subarray(0, end);
    this.isAtStart = lines[lines.length - 1] === NEWLINE;
    this.lines.feed(lines);
    return lines.length;
  }

  /** The length of the encoded frame at the beginning; 0 while it is not there whole. */
  private encoded(rest: Buffer): number {
    const end = rest.subarray(0, MAX_HEADER_BYTES).indexOf(HEADER_END);
    if (end < 0) {
      if (rest.length >= MAX_HEADER_BYTES) throw new StreamBrokenError('header over limit');
      return 0;
    }
    const [, size, encoding] = HEADER.exec(rest.toString('latin1', 0, end)) ?? [];
    if (encoding === undefined) throw new StreamBrokenError('no frame in a content coding');
    const begin = end + HEADER_END.length;
    const length = begin + Number(size);
    if (Number(size) > MAX_DELIVERED_FRAME_BYTES) throw new StreamBrokenError('frame over limit');
    if (rest.length < length) return 0;
    const frame = this.decode(encoding, rest.subarray(begin, length));
    this.lines.feed(Buffer.concat([frame, Buffer.from('\n')]));
    return length;
  }
}

function isLetter(byte: number | undefined): boolean {
  return byte !== undefined && (byte | 32) >= 97 && (byte | 32) <= 122;
}
