import type { LogRecord } from '../../broker.ts';
import type { VarintReader } from './varint.ts';

/** What a batch's head says of its records. */
export interface Placement {
  readonly count: number;
  readonly baseOffset: number;
  readonly baseTimestamp: number;
  /** When the broker appended the batch, where that is what timestamps of the topic mean. */
  readonly appendTime: number | undefined;
}

const NO_HEADERS: Readonly<Record<string, Uint8Array>> = Object.freeze({});

/** Above it comparing with the bytes of before costs more than it saves. */
const LONGEST_REMEMBERED = 64;

/**
 * Neighbours in a batch often have the same key and the same names of headers: what stands again at the
 * next record is not decoded again.
 */
class Text {
  #bytes: Uint8Array = new Uint8Array(0);
  #from = 0;
  #length = -1;
  #text = '';

  of(bytes: Buffer, from: number, to: number): string {
    const length = to - from;
    if (length === this.#length && this.#same(bytes, from)) {
      return this.#text;
    }
    const text = bytes.toString('utf8', from, to);
    if (length <= LONGEST_REMEMBERED) {
      this.#bytes = bytes;
      this.#from = from;
      this.#length = length;
      this.#text = text;
    }
    return text;
  }

  #same(bytes: Buffer, from: number): boolean {
    const before = this.#bytes;
    const shift = this.#from - from;
    for (let at = from, to = from + this.#length; at < to; at++) {
      if (bytes[at] !== before[at + shift]) {
        return false;
      }
    }
    return true;
  }
}

/** Reads the records at `reader` whose offset is `from` or more. */
export function readRecords(reader: VarintReader, placement: Placement, from: number): LogRecord[] {
  const { appendTime, baseOffset, baseTimestamp, count } = placement;
  const { bytes } = reader;
  const keys = new Text();
  const names = new Text();
  const records: LogRecord[] = [];
  for (let left = count; left > 0; left--) {
    const length = reader.number();
    const end = reader.at + length;
    if (length < 0 || end > bytes.byteLength) {
      throw reader.damaged();
    }
    reader.at++; // Attributes: none are in use.
    const timestamp = baseTimestamp + reader.number();
    const offset = baseOffset + reader.number();
    if (offset < from) {
      reader.at = end;
      continue;
    }
    const keyAt = reader.skipBlob();
    const key = keyAt < 0 ? null : keys.of(bytes, keyAt, reader.at);
    const valueAt = reader.skipBlob();
    const value = valueAt < 0 ? null : bytes.subarray(valueAt, reader.at);
    const headers = readHeaders(reader, names);
    if (reader.at !== end) {
      throw reader.damaged();
    }
    records.push({ offset, key, value, timestamp: appendTime ?? timestamp, headers });
  }
  return records;
}

/** Of a name that stands twice the last value counts; a null value is read as an empty one. */
function readHeaders(reader: VarintReader, names: Text): Readonly<Record<string, Uint8Array>> {
  let left = reader.number();
  if (left === 0) {
    return NO_HEADERS;
  }
  const headers: Record<string, Uint8Array> = {};
  for (; left > 0; left--) {
    const nameAt = reader.skipBlob();
    if (nameAt < 0) {
      throw reader.damaged();
    }
    const name = names.of(reader.bytes, nameAt, reader.at);
    const valueAt = reader.skipBlob();
    const value = reader.bytes.subarray(valueAt < 0 ? reader.at : valueAt, reader.at);
    if (name === '__proto__') {
      // A plain assignment would lose it.
      Object.defineProperty(headers, name, { value, enumerable: true, configurable: true, writable: true });
    } else {
      headers[name] = value;
    }
  }
  return headers;
}
