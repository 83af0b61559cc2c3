import { SUMMARY_PREFIX } from '../topics.ts';

/**
 * An encoded region summary as table entries of at most 256 KiB, so that no message of the regions
 * topic outgrows a broker's default limits, however many features a region is given.
 */
const MAX_CHUNK_BYTES = 256 * 1024;

/** Of a chunk of a part of a region's summary (`RegionState.parts`). */
export function summaryKey(token: string, part: string, chunk: number): string {
  return `${SUMMARY_PREFIX}${token}/${part}/${String(chunk)}`;
}

/** Region token, part and chunk of a summary's key. */
export function parseSummaryKey(key: string): { token: string; part: string; chunk: number } {
  const [token, part, chunk] = key.slice(SUMMARY_PREFIX.length).split('/');
  if (!key.startsWith(SUMMARY_PREFIX) || token === undefined || part === undefined || chunk === undefined) {
    throw new Error(`not the key of a region summary: ${key}`);
  }
  return { token, part, chunk: Number(chunk) };
}

export function splitIntoChunks(encoded: Uint8Array): readonly Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < encoded.length; at += MAX_CHUNK_BYTES) {
    chunks.push(encoded.subarray(at, Math.min(encoded.length, at + MAX_CHUNK_BYTES)));
  }
  return chunks;
}

export function joinChunks(chunks: readonly Uint8Array[]): Uint8Array {
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1) {
    return only;
  }
  const joined = new Uint8Array(chunks.reduce((bytes, chunk) => bytes + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}

/** Entries of the table, put together to the parts of each region's summary, by its token. */
export class SummaryParts {
  readonly #chunks = new Map<string, Map<string, Uint8Array[]>>();

  add(key: string, value: Uint8Array): void {
    const { chunk, part, token } = parseSummaryKey(key);
    const parts = this.#chunks.get(token) ?? new Map<string, Uint8Array[]>();
    this.#chunks.set(token, parts);
    const chunks = parts.get(part) ?? [];
    parts.set(part, chunks);
    chunks[chunk] = value;
  }

  /** Token and parts of each region's summary. */
  *regions(): Generator<readonly [string, ReadonlyMap<string, Uint8Array>]> {
    for (const [token, parts] of this.#chunks) {
      yield [token, new Map(Array.from(parts, ([part, chunks]) => [part, joinChunks(chunks)]))];
    }
  }
}
