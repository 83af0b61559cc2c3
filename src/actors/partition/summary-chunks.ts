import { SUMMARY_PREFIX } from '../topics.ts';

/**
 * An encoded region summary as table entries of at most 256 KiB, so that no message of the regions
 * topic outgrows a broker's default limits, however many features a region is given.
 */
const MAX_CHUNK_BYTES = 256 * 1024;

/** The pane of everything: event-time panes come with decay; until then each region has this one. */
export const ONLY_PANE = '0';

export function summaryKey(token: string, pane: string, chunk: number): string {
  return `${SUMMARY_PREFIX}${token}/${pane}/${String(chunk)}`;
}

/** Region token, pane and chunk of a summary's key. */
export function parseSummaryKey(key: string): { token: string; pane: string; chunk: number } {
  const [token, pane, chunk] = key.slice(SUMMARY_PREFIX.length).split('/');
  if (!key.startsWith(SUMMARY_PREFIX) || token === undefined || pane === undefined || chunk === undefined) {
    throw new Error(`not the key of a region summary: ${key}`);
  }
  return { token, pane, chunk: Number(chunk) };
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
