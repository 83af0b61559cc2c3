/**
 * Snappy as Kafka's clients write it: Java's in the framing of xerial's library, which is a head and then
 * blocks with their lengths; others one block as it is. Reading only.
 */
import { copyLiterals, copyMatch, LARGEST_UNPACKED, notReadable, Output, tooLarge } from './output.ts';

const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
/** After the magic come two version numbers, 32 bits each. */
const XERIAL_HEAD_BYTES = XERIAL.byteLength + 8;

export function decompressSnappy(packed: Uint8Array): Buffer {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const out = new Output();
  if (bytes.byteLength < XERIAL_HEAD_BYTES || !bytes.subarray(0, XERIAL.byteLength).equals(XERIAL)) {
    decompressBlock(bytes, 0, bytes.byteLength, out);
    return out.written;
  }
  let at = XERIAL_HEAD_BYTES;
  while (at < bytes.byteLength) {
    if (at + 4 > bytes.byteLength) {
      throw endsEarly();
    }
    const from = at + 4;
    const to = from + bytes.readUInt32BE(at);
    if (to > bytes.byteLength) {
      throw endsEarly();
    }
    decompressBlock(bytes, from, to, out);
    at = to;
  }
  return out.written;
}

function endsEarly(): Error {
  return notReadable('snappy', 'they end early');
}

function decompressBlock(bytes: Buffer, from: number, to: number, out: Output): void {
  const start = out.length;
  let at = from;
  let expected = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = at < to && shift < 35 ? (bytes[at++] as number) : -1;
    if (byte < 0) {
      throw endsEarly();
    }
    expected += (byte & 127) * 2 ** shift;
    if (byte < 128) {
      break;
    }
  }
  if (start + expected > LARGEST_UNPACKED) {
    throw tooLarge();
  }
  // Announcing much and bringing little must not cost memory: a byte unpacks to 21 and a third at most.
  if (expected > (to - at) * 22) {
    throw endsEarly();
  }
  out.reserve(expected);
  const target = out.bytes;
  const end = start + expected;
  let written = start;
  while (at < to) {
    const tag = bytes[at++] as number;
    const kind = tag & 3;
    if (kind === 0) {
      let length = (tag >>> 2) + 1;
      if (length > 60) {
        const width = length - 60;
        if (at + width > to) {
          throw endsEarly();
        }
        length = bytes.readUIntLE(at, width) + 1;
        at += width;
      }
      if (at + length > to) {
        throw endsEarly();
      }
      if (written + length > end) {
        throw notReadable('snappy', 'more bytes came than were announced');
      }
      copyLiterals(target, written, bytes, at, at + length);
      at += length;
      written += length;
      continue;
    }
    const width = kind === 3 ? 4 : kind;
    if (at + width > to) {
      throw endsEarly();
    }
    const length = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
    const low = bytes.readUIntLE(at, width);
    const distance = kind === 1 ? ((tag >>> 5) << 8) | low : low;
    at += width;
    if (distance === 0 || distance > written - start) {
      throw notReadable('snappy', 'they refer to bytes before their beginning');
    }
    if (written + length > end) {
      throw notReadable('snappy', 'more bytes came than were announced');
    }
    copyMatch(target, written, distance, length);
    written += length;
  }
  if (written !== end) {
    throw endsEarly();
  }
  out.length = end;
}
