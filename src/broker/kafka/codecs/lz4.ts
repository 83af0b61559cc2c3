/**
 * LZ4 in its frame format, as Kafka wants it: independent blocks, which every reader of the format can
 * read. The packages that need no compiler write dependent blocks (Kafka refuses them) or none of the frame.
 * Checksums inside a frame are neither written nor checked: a record batch has its own.
 */
import { copyLiterals, copyMatch, LARGEST_UNPACKED, notReadable, Output, tooLarge } from './output.ts';

const MAGIC = 0x184d2204;
/** Version 1, independent blocks; blocks of up to 256 KiB; and the checksum of these two bytes. */
const HEAD = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x50, 0xfb] as const;
const BLOCK_BYTES = 256 * 1024;
const STORED = 0x80000000;
const FLAG = { version: 0xc0, blockChecksum: 16, contentSize: 8, contentChecksum: 4, dictionary: 1 } as const;
const VERSION_1 = 0x40;

const SHORTEST_MATCH = 4;
/** A block's last five bytes are literals, and its last match begins at least twelve bytes before its end. */
const LITERAL_END = 5;
const MATCH_END = 12;
const LARGEST_DISTANCE = 65535;

/** Where the four bytes with a certain hash were last seen in the block, plus one. */
const HASH_BITS = 14;
const seen = new Int32Array(2 ** HASH_BITS);

function worstSize(bytes: number): number {
  return bytes + Math.ceil(bytes / 255) + 16;
}

export function compressLz4(bytes: Uint8Array): Buffer {
  const blocks = Math.ceil(bytes.byteLength / BLOCK_BYTES);
  // A block that does not become smaller is stored, but it is tried out in the same place.
  const out = Buffer.allocUnsafe(HEAD.length + bytes.byteLength + blocks * 4 + 4 + worstSize(BLOCK_BYTES));
  out.set(HEAD, 0);
  let at: number = HEAD.length;
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let from = 0; from < bytes.byteLength; from += BLOCK_BYTES) {
    const to = Math.min(from + BLOCK_BYTES, bytes.byteLength);
    let end = compressBlock(bytes, source, from, to, out, at + 4);
    if (end - at - 4 < to - from) {
      out.writeUInt32LE(end - at - 4, at);
    } else {
      out.writeUInt32LE(STORED + (to - from), at);
      out.set(bytes.subarray(from, to), at + 4);
      end = at + 4 + (to - from);
    }
    at = end;
  }
  out.writeUInt32LE(0, at);
  return out.subarray(0, at + 4);
}

/** Writes `bytes[from]` to `bytes[to - 1]` as one block at `target`, and returns where it ends. */
function compressBlock(
  bytes: Uint8Array,
  source: DataView,
  from: number,
  to: number,
  out: Buffer,
  target: number,
): number {
  seen.fill(0);
  let written = target;
  let literals = from;
  let at = from;
  // What is hard to compress is stepped over faster and faster.
  let misses = 1 << 6;
  while (at <= to - MATCH_END - 1) {
    const sequence = source.getInt32(at, true);
    const slot = Math.imul(sequence, -1640531535) >>> (32 - HASH_BITS);
    const candidate = (seen[slot] as number) - 1 + from;
    seen[slot] = at - from + 1;
    if (
      candidate < from ||
      at - candidate > LARGEST_DISTANCE ||
      source.getInt32(candidate, true) !== sequence
    ) {
      at += misses++ >>> 6;
      continue;
    }
    misses = 1 << 6;
    let start = at;
    let match = candidate;
    while (start > literals && match > from && bytes[start - 1] === bytes[match - 1]) {
      start--;
      match--;
    }
    let end = at + SHORTEST_MATCH;
    let same = candidate + SHORTEST_MATCH;
    while (end < to - LITERAL_END && bytes[end] === bytes[same]) {
      end++;
      same++;
    }
    written = writeSequence(out, written, bytes, literals, start, end - start, start - match);
    at = end;
    literals = end;
  }
  return writeSequence(out, written, bytes, literals, to, 0, 0);
}

/** Literals, and then a match of `length` bytes from `distance` before; none at the end of a block. */
function writeSequence(
  out: Buffer,
  target: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  length: number,
  distance: number,
): number {
  const literals = to - from;
  const extra = length === 0 ? 0 : length - SHORTEST_MATCH;
  out[target] = (Math.min(literals, 15) << 4) | Math.min(extra, 15);
  let at = writeRest(out, target + 1, literals);
  copyLiterals(out, at, bytes, from, to);
  at += literals;
  if (length === 0) {
    return at;
  }
  out[at++] = distance & 255;
  out[at++] = distance >>> 8;
  return writeRest(out, at, extra);
}

function writeRest(out: Buffer, target: number, length: number): number {
  let at = target;
  if (length >= 15) {
    let rest = length - 15;
    for (; rest >= 255; rest -= 255) {
      out[at++] = 255;
    }
    out[at++] = rest;
  }
  return at;
}

export function decompressLz4(packed: Uint8Array): Buffer {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  if (bytes.byteLength < HEAD.length || bytes.readUInt32LE(0) !== MAGIC) {
    throw notReadable('lz4', 'they are no LZ4 frame');
  }
  const flags = bytes[4] as number;
  if ((flags & FLAG.version) !== VERSION_1 || (flags & FLAG.dictionary) !== 0) {
    throw notReadable(
      'lz4',
      `the frame has flags 0x${flags.toString(16)}; version 1 without a dictionary is read`,
    );
  }
  // Three bits: 4 stands for blocks of up to 64 KiB, and each step up for four times as much.
  const blockBytes = 2 ** (8 + 2 * (((bytes[5] as number) >>> 4) & 7));
  let at = HEAD.length + ((flags & FLAG.contentSize) === 0 ? 0 : 8);
  const trailer = (flags & FLAG.blockChecksum) === 0 ? 0 : 4;
  const out = new Output();
  for (;;) {
    if (at + 4 > bytes.byteLength) {
      throw endsEarly();
    }
    const size = bytes.readUInt32LE(at);
    if (size === 0) {
      return out.written;
    }
    const from = at + 4;
    const to = from + (size % STORED);
    if (to + trailer > bytes.byteLength) {
      throw endsEarly();
    }
    if (size < STORED) {
      out.reserve(blockBytes);
      out.length = decompressBlock(bytes, from, to, out.bytes, out.length);
    } else {
      out.reserve(to - from);
      out.length = decodeStored(bytes, from, to, out.bytes, out.length);
    }
    at = to + trailer;
  }
}

function endsEarly(): Error {
  return notReadable('lz4', 'they end early');
}

function tooLong(target: Uint8Array): Error {
  return target.byteLength < LARGEST_UNPACKED
    ? notReadable('lz4', 'a block is longer than its frame allows')
    : tooLarge();
}

function decodeStored(bytes: Buffer, from: number, to: number, target: Buffer, at: number): number {
  if (at + to - from > target.byteLength) {
    throw tooLong(target);
  }
  copyLiterals(target, at, bytes, from, to);
  return at + to - from;
}

/** Unpacks one block to `target[begin]` on, and returns where it ends there. */
function decompressBlock(bytes: Buffer, from: number, to: number, target: Buffer, begin: number): number {
  const room = target.byteLength;
  let at = from;
  let end = begin;
  while (at < to) {
    const token = bytes[at++] as number;
    let literals = token >>> 4;
    if (literals === 15) {
      let byte = 255;
      while (byte === 255) {
        // Past the end there is a byte of the frame, or none; what is then too long is seen below.
        byte = bytes[at++] ?? 0;
        literals += byte;
      }
    }
    if (at + literals > to) {
      throw endsEarly();
    }
    if (end + literals > room) {
      throw tooLong(target);
    }
    copyLiterals(target, end, bytes, at, at + literals);
    end += literals;
    at += literals;
    if (at === to) {
      return end;
    }
    const distance = (bytes[at] as number) | ((bytes[at + 1] ?? 0) << 8);
    at += 2;
    let length = (token & 15) + SHORTEST_MATCH;
    if (length === 15 + SHORTEST_MATCH) {
      let byte = 255;
      while (byte === 255) {
        byte = bytes[at++] ?? 0;
        length += byte;
      }
    }
    if (at > to) {
      throw endsEarly();
    }
    if (distance === 0 || distance > end) {
      throw notReadable('lz4', 'they refer to bytes before their beginning');
    }
    if (end + length > room) {
      throw tooLong(target);
    }
    copyMatch(target, end, distance, length);
    end += length;
  }
  throw endsEarly();
}
