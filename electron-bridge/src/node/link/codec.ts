import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  gunzipSync,
  gzipSync,
  type BrotliOptions,
  type ZlibOptions,
} from 'zlib';
import {
  MAX_DELIVERED_FRAME_BYTES,
  MIN_ENCODED_BYTES,
  WORTHWHILE_RATIO,
} from '../../generated/constants';
import type { OpenResult } from '../../generated/protocol';
import { StreamBrokenError } from '../../common/lines';

/** Content codings of frames, by their names in RFC 9110. */
export type Encoding = NonNullable<OpenResult['encoding']>;

const BROTLI: BrotliOptions = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
const GZIP: ZlibOptions = { level: 1 };
const LIMIT = { maxOutputLength: MAX_DELIVERED_FRAME_BYTES };

/** Compresses and decompresses the frames of a link; browsers have none. */
export class Codec {
  constructor(readonly encodings: readonly Encoding[]) {}

  /** The block that takes a frame's place; undefined where that is not worth it. */
  encode(encoding: Encoding, frame: string): Buffer | undefined {
    if (frame.length < MIN_ENCODED_BYTES) return undefined;
    const plain = Buffer.from(frame);
    const body = encoding === 'br' ? brotliCompressSync(plain, BROTLI) : gzipSync(plain, GZIP);
    if (body.length > WORTHWHILE_RATIO * plain.length) return undefined;
    const head = `Content-Length: ${body.length}\r\nContent-Encoding: ${encoding}\r\n\r\n`;
    return Buffer.concat([Buffer.from(head), body]);
  }

  /** Throws `StreamBrokenError` for what is no such stream, or becomes too long. */
  decode(encoding: string, body: Buffer): Buffer {
    try {
      if (encoding === 'br') return brotliDecompressSync(body, LIMIT);
      if (encoding === 'gzip') return gunzipSync(body, LIMIT);
    } catch {
      throw new StreamBrokenError('a frame can not be decompressed');
    }
    throw new StreamBrokenError(`unknown encoding ${encoding}`);
  }
}
