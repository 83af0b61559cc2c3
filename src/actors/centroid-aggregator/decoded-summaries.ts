import { byPlace, type PlacedPane } from '../../clustering/model-time.ts';
import { decodeParts } from '../../clustering/region-summary.ts';
import type { Steps } from '../../clustering/slices.ts';

/** A region's summary as it stands in the table of a partition. */
export interface EncodedSummary {
  readonly partition: number;
  readonly token: string;
  /** By their names, see `RegionSummary.parts`. */
  readonly parts: ReadonlyMap<string, Uint8Array>;
}

interface Decoded {
  readonly parts: ReadonlyMap<string, Uint8Array>;
  readonly panes: readonly PlacedPane[];
  readonly bytes: number;
}

/** Most that is kept, encoded and decoded: 384 regions of 2,000 features are 75 MB. */
const MOST_BYTES = 96 * 2 ** 20;

/**
 * Summaries as they were last decoded: of one whose bytes are the same the same is given again. What is
 * given is shared and must not be changed. Where they would take more than `most` bytes, those that come
 * last are decoded each time.
 */
export class DecodedSummaries {
  readonly #most: number;
  #kept: ReadonlyMap<string, Decoded> = new Map();

  constructor(most = MOST_BYTES) {
    this.#most = most;
  }

  /**
   * The panes of all summaries there are now, in the fixed order of a model. Others are forgotten.
   * @throws SummaryFormatError when one is damaged or of an unknown version.
   */
  *decode(summaries: readonly EncodedSummary[]): Steps<readonly PlacedPane[]> {
    const panes: PlacedPane[] = [];
    const kept = new Map<string, Decoded>();
    let bytes = 0;
    for (const summary of summaries) {
      const key = `${String(summary.partition)}/${summary.token}`;
      const before = this.#kept.get(key);
      const decoded =
        before !== undefined && sameBytes(before.parts, summary.parts) ? before : decode(summary);
      panes.push(...decoded.panes);
      if (bytes + decoded.bytes <= this.#most) {
        bytes += decoded.bytes;
        kept.set(key, decoded);
      }
      yield;
    }
    this.#kept = kept;
    return panes.sort(byPlace);
  }
}

function decode({ partition, parts }: EncodedSummary): Decoded {
  const { head, panes } = decodeParts(parts);
  let bytes = panes.reduce((sum, { tree }) => sum + tree.memoryBytes, 0);
  for (const part of parts.values()) {
    bytes += part.byteLength;
  }
  return { parts, panes: panes.map((pane) => ({ region: head.region, partition, pane })), bytes };
}

function sameBytes(before: ReadonlyMap<string, Uint8Array>, now: ReadonlyMap<string, Uint8Array>): boolean {
  return (
    before.size === now.size &&
    [...before].every(([name, part]) => {
      const same = now.get(name);
      return same !== undefined && (same === part || Buffer.compare(same, part) === 0);
    })
  );
}
