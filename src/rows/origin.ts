/**
 * The message header that says where the lines of a message come from.
 *
 * ```
 * u8      format version, 1
 * u32     number of lines, little-endian
 * varint  length of the file id, then the id in UTF-8
 * per line, two varints: line number and byte offset, each minus that of the line before (first: minus 0)
 * ```
 * Varints hold 7 bits a byte, least significant first (LEB128). Neighbouring rows of one region take
 * 4 to 5 bytes.
 */

const FORMAT_VERSION = 1;
const COUNT_AT = 1;
const ID_AT = 5;
/** A varint of an integer below 2^53. */
const MAX_VARINT_BYTES = 8;
const INITIAL_BYTES = 4096;
/** Small headers share blocks of this size: with one line a message there are as many as rows. */
const BLOCK_BYTES = 32 * 1024;
const encoder = new TextEncoder();

export interface Origin {
  readonly fileId: string;
  /** 1-based line number in the file of each line of the message. */
  readonly lines: Float64Array;
  /** Byte offset in the file of each line's first byte. */
  readonly bytes: Float64Array;
}

export interface OriginEncoder {
  /** Lines appended since `start`. */
  readonly count: number;
  /** Size in bytes of the header as it stands. */
  readonly size: number;
  /** Begins the header of a message whose lines come from the file `fileId`. */
  start(fileId: string): void;
  /**
   * Adds the message's next line.
   * @throws RangeError unless both numbers are safe integers and neither is below the line before
   */
  append(line: number, byte: number): void;
  /** The header, in bytes that nobody writes again. */
  finish(): Uint8Array;
}

class ReusingOriginEncoder implements OriginEncoder {
  #buffer = new Uint8Array(INITIAL_BYTES);
  #fileId: string | undefined;
  /** End of the file id in `#buffer`. */
  #idEnd = ID_AT;
  #at = ID_AT;
  #block = new Uint8Array(0);
  #blockAt = 0;
  #count = 0;
  #line = 0;
  #byte = 0;

  get count(): number {
    return this.#count;
  }

  get size(): number {
    return this.#at;
  }

  start(fileId: string): void {
    this.#count = 0;
    this.#line = 0;
    this.#byte = 0;
    if (fileId !== this.#fileId) {
      const id = encoder.encode(fileId);
      this.#at = ID_AT;
      this.#reserve(id.length + MAX_VARINT_BYTES);
      this.#buffer[0] = FORMAT_VERSION;
      const idAt = writeVarint(this.#buffer, ID_AT, id.length);
      this.#buffer.set(id, idAt);
      this.#idEnd = idAt + id.length;
      this.#fileId = fileId;
    }
    this.#at = this.#idEnd;
  }

  append(line: number, byte: number): void {
    if (
      !(line >= this.#line && byte >= this.#byte && Number.isSafeInteger(line) && Number.isSafeInteger(byte))
    ) {
      throw new RangeError(
        `line ${String(line)} at byte ${String(byte)} does not follow line ${String(this.#line)} at byte ${String(this.#byte)}`,
      );
    }
    this.#reserve(2 * MAX_VARINT_BYTES);
    this.#at = writeVarint(this.#buffer, this.#at, line - this.#line);
    this.#at = writeVarint(this.#buffer, this.#at, byte - this.#byte);
    this.#line = line;
    this.#byte = byte;
    this.#count++;
  }

  finish(): Uint8Array {
    const [buffer, count, size] = [this.#buffer, this.#count, this.#at];
    for (let byte = 0; byte < ID_AT - COUNT_AT; byte++) {
      buffer[COUNT_AT + byte] = count >>> (8 * byte);
    }
    if (size > BLOCK_BYTES / 16) {
      return buffer.slice(0, size);
    }
    if (this.#blockAt + size > this.#block.length) {
      this.#block = new Uint8Array(BLOCK_BYTES);
      this.#blockAt = 0;
    }
    const header = this.#block.subarray(this.#blockAt, this.#blockAt + size);
    this.#blockAt += size;
    for (let at = 0; at < size; at++) {
      header[at] = buffer[at] as number;
    }
    return header;
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return;
    const larger = new Uint8Array(2 * this.#buffer.length + bytes);
    larger.set(this.#buffer);
    this.#buffer = larger;
  }
}

/** An encoder for many messages, one after another; it allocates only what `finish` returns. */
export function createOriginEncoder(): OriginEncoder {
  return new ReusingOriginEncoder();
}

/** The header of one message. @throws RangeError as `OriginEncoder.append`. */
export function encodeOrigin(fileId: string, lines: ArrayLike<number>, bytes: ArrayLike<number>): Uint8Array {
  if (lines.length !== bytes.length) {
    throw new RangeError(`${String(lines.length)} line numbers, but ${String(bytes.length)} byte offsets`);
  }
  const origin = createOriginEncoder();
  origin.start(fileId);
  for (let index = 0; index < lines.length; index++) {
    origin.append(lines[index] as number, bytes[index] as number);
  }
  return origin.finish();
}

/** @throws Error when the header is cut, overlong, or written by a format this version does not know. */
export function decodeOrigin(header: Uint8Array): Origin {
  const version = header[0];
  if (version !== FORMAT_VERSION) {
    throw new Error(
      `message origin has format version ${String(version)}, this program knows ${String(FORMAT_VERSION)}: ` +
        'it was written by another version of Geoflock',
    );
  }
  if (header.length <= ID_AT) throw damaged(header);
  const count = new DataView(header.buffer, header.byteOffset, header.byteLength).getUint32(COUNT_AT, true);
  const reader = new VarintReader(header, ID_AT);
  const idLength = reader.next();
  const idEnd = reader.at + idLength;
  // Every line takes two bytes at least: a damaged count must not allocate gigabytes.
  if (idEnd + 2 * count > header.length) throw damaged(header);
  const fileId = new TextDecoder('utf-8', { ignoreBOM: true }).decode(header.subarray(reader.at, idEnd));
  reader.at = idEnd;

  const lines = new Float64Array(count);
  const bytes = new Float64Array(count);
  let line = 0;
  let byte = 0;
  for (let index = 0; index < count; index++) {
    line += reader.next();
    byte += reader.next();
    lines[index] = line;
    bytes[index] = byte;
  }
  if (reader.at !== header.length) throw damaged(header);
  return { fileId, lines, bytes };
}

class VarintReader {
  at: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  next(): number {
    let value = 0;
    let weight = 1;
    for (let length = 0; length < MAX_VARINT_BYTES; length++) {
      const byte = this.#bytes[this.at];
      if (byte === undefined) break;
      this.at++;
      value += (byte & 0x7f) * weight;
      if (byte < 0x80) return value;
      weight *= 128;
    }
    throw damaged(this.#bytes);
  }
}

function damaged(header: Uint8Array): Error {
  return new Error(`message origin of ${String(header.length)} bytes is damaged`);
}

function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let p = at;
  let rest = value;
  while (rest >= 0x80) {
    bytes[p++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  bytes[p++] = rest;
  return p;
}
