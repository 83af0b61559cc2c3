import * as zlib from 'node:zlib';
import { Decompress } from 'fzstd';
import { BrokerError } from '../errors.ts';
import { LARGEST_UNPACKED, notReadable, tooLarge } from './codecs/output.ts';
import { compressLz4, decompressLz4 } from './codecs/lz4.ts';
import { decompressSnappy } from './codecs/snappy.ts';

/** The compressions in which record batches are written. `snappy` is read only. */
export type CodecName = 'none' | 'gzip' | 'lz4' | 'zstd';

export interface Codec {
  /** As in the attributes of a record batch. */
  readonly id: number;
  readonly name: CodecName | 'snappy';
  compress(bytes: Uint8Array): Buffer;
  decompress(bytes: Uint8Array): Buffer;
}

/** Part of node:zlib from Node 22.15 and 23.8 on. */
interface NativeZstd {
  readonly zstdCompressSync?: (bytes: Uint8Array) => Buffer;
  readonly zstdDecompressSync?: (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Buffer;
}

const CHUNK_BYTES = 256 * 1024;

const nativeZstd = zlib as NativeZstd;

const NONE: Codec = { id: 0, name: 'none', compress: asBuffer, decompress: asBuffer };

const GZIP: Codec = {
  id: 1,
  name: 'gzip',
  compress: (bytes) => zlib.gzipSync(bytes, { level: zlib.constants.Z_BEST_SPEED, chunkSize: CHUNK_BYTES }),
  decompress: (bytes) => boundedBy(() => zlib.gunzipSync(bytes, { maxOutputLength: LARGEST_UNPACKED })),
};

const SNAPPY: Codec = {
  id: 2,
  name: 'snappy',
  compress: () => {
    throw new BrokerError("compression 'snappy' is only read, not written: choose none, gzip, lz4 or zstd");
  },
  decompress: decompressSnappy,
};

const LZ4: Codec = { id: 3, name: 'lz4', compress: compressLz4, decompress: decompressLz4 };

/** Reads with what there is; `native` is node:zlib, or something without zstd. */
export function zstdCodec(native: NativeZstd): Codec {
  const { zstdCompressSync, zstdDecompressSync } = native;
  return {
    id: 4,
    name: 'zstd',
    compress: zstdCompressSync ?? refuseZstd,
    decompress:
      zstdDecompressSync === undefined
        ? decompressZstdSlowly
        : (bytes) => boundedBy(() => zstdDecompressSync(bytes, { maxOutputLength: LARGEST_UNPACKED })),
  };
}

const ZSTD = zstdCodec(nativeZstd);

const BY_ID: readonly Codec[] = [NONE, GZIP, SNAPPY, LZ4, ZSTD];
const BY_NAME: Readonly<Record<CodecName, Codec>> = { none: NONE, gzip: GZIP, lz4: LZ4, zstd: ZSTD };

/** @throws BrokerError this runtime cannot write `name`. */
export function codecNamed(name: CodecName): Codec {
  if (name === 'zstd' && nativeZstd.zstdCompressSync === undefined) {
    return refuseZstd();
  }
  return BY_NAME[name];
}

/** @throws BrokerError `id` is not a compression that Kafka knows. */
export function codecOfId(id: number): Codec {
  const codec = BY_ID[id];
  if (codec === undefined) {
    throw new BrokerError(
      `compression ${String(id)} is not known; none, gzip, snappy, lz4 and zstd (0 to 4) are read`,
    );
  }
  return codec;
}

function refuseZstd(): never {
  throw new BrokerError(
    `compression 'zstd' cannot be written by Node.js ${process.versions.node}: choose lz4 or gzip, or use ` +
      'Node.js 22.15 or later (in line 23, 23.8)',
  );
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function boundedBy(decompress: () => Buffer): Buffer {
  try {
    return decompress();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      throw tooLarge();
    }
    throw error;
  }
}

/** In chunks, so that the bound is met before the memory is taken. */
function decompressZstdSlowly(bytes: Uint8Array): Buffer {
  if (bytes.byteLength === 0) {
    throw notReadable('zstd', 'there are none');
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  const stream = new Decompress((chunk) => {
    length += chunk.byteLength;
    if (length > LARGEST_UNPACKED) {
      throw tooLarge();
    }
    chunks.push(chunk);
  });
  stream.push(bytes, true);
  return Buffer.concat(chunks, length);
}
