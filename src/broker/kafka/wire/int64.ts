import { BrokerError } from '../../errors.ts';

/** An offset, which must be one that JavaScript's numbers hold. */
export function readOffset(bytes: Buffer, at: number): number {
  const value = readInt64(bytes, at);
  if (!Number.isSafeInteger(value)) {
    throw new BrokerError(
      `${String(bytes.readBigInt64BE(at))}, an offset that the broker sent, is above 2^53: offsets so large ` +
        'are not read; use another topic',
    );
  }
  return value;
}

/** A number that loses its last digits above 2^53: a timestamp, which others may mean as nanoseconds. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

export function writeInt64(bytes: Buffer, at: number, value: number): number {
  const high = Math.floor(value / 2 ** 32);
  bytes.writeInt32BE(high, at);
  return bytes.writeUInt32BE(value - high * 2 ** 32, at + 4);
}
