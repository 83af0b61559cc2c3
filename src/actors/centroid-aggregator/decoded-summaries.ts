import type { ModelPane, PlacedPane } from '../../clustering/model-time.ts';
import { formOf, type Once, type StoredForm } from '../../clustering/region-algorithm.ts';
import type { Steps } from '../../clustering/slices.ts';
import type { PartRevision } from '../../clustering/summary-format.ts';

/** A region's summary as it stands in the table of a partition. */
export interface EncodedSummary {
  readonly partition: number;
  readonly token: string;
  /** By their names, see `RegionState.parts`. */
  readonly parts: ReadonlyMap<string, Uint8Array>;
  /** Names of parts that were not read, as `DecodedSummaries.knows` knows them. Default none. */
  readonly known?: ReadonlySet<string>;
}

/** Whether a part of a summary, or its first bytes, need not be read: it is known what it says. */
export type KnowsPart = (partition: number, token: string, part: string, bytes: Uint8Array) => boolean;

interface Decoded {
  readonly revision: PartRevision;
  readonly pane: ModelPane;
  /** It, and whose it is. */
  placed: PlacedPane | undefined;
  /** Memory that it takes. */
  readonly bytes: number;
  /** In which call it was decoded. */
  readonly call: number;
}

interface Region {
  readonly region: number;
  readonly partition: number;
  readonly panes: readonly PlacedPane[];
}

/** What is kept of a region. */
interface Kept {
  readonly form: StoredForm;
  /** Its first part, copied: what was read may be a view of much more. */
  readonly first: Uint8Array;
  /** By the name of the part. */
  readonly panes: ReadonlyMap<string, Decoded>;
  /** Memory of these panes. */
  readonly bytes: number;
  /** Undefined where not all panes are kept. */
  readonly whole: Region | undefined;
}

/** Most that is kept: 384 regions of 2,000 features are 45 MB. */
const MOST_BYTES = 96 * 2 ** 20;

/**
 * Panes as they were last decoded: of one with the same revision, in the same epoch, the same is given again.
 * What is given is shared and must not be changed. Where they would take more than `most` bytes, those that
 * come last are decoded each time.
 *
 * What has changed takes over the memory of what it was before: to allocate and to collect that for all regions, time
 * and again, takes longer than to decode. So what was given is of no more use from the next call on, unless it was
 * `lent`.
 */
export class DecodedSummaries {
  readonly #most: number;
  #epoch = 0;
  #calls = 0;
  /** What was decoded up to this call may be in use elsewhere. */
  #lentUpTo = 0;
  /** By partition and token. */
  #kept: ReadonlyMap<string, Kept> = new Map();

  constructor(most = MOST_BYTES) {
    this.#most = most;
  }

  /** The parts that `decode` of this epoch would find unchanged: all but the first of each region. Until the next `decode`. */
  knows(epoch: number): KnowsPart {
    const kept: ReadonlyMap<string, Kept> = epoch === this.#epoch ? this.#kept : new Map();
    return (partition, token, part, bytes) => {
      const region = kept.get(keyOf(partition, token));
      const known = region?.panes.get(part);
      return (
        known !== undefined &&
        part !== region?.form.firstPart &&
        isEqual(known.revision, region?.form.revisionOf(bytes))
      );
    };
  }

  /** What was given last is used beyond the next call: it stays as it is. */
  lend(): void {
    this.#lentUpTo = this.#calls;
  }

  /**
   * The panes of all summaries there are now, in the fixed order of a model. Others are forgotten, and all when
   * the epoch is another: then rows have been folded anew.
   * @throws SummaryFormatError when one is damaged or of an unknown version.
   */
  *decode(summaries: readonly EncodedSummary[], epoch = 0): Steps<readonly PlacedPane[]> {
    const before: ReadonlyMap<string, Kept> = epoch === this.#epoch ? this.#kept : new Map();
    // Given up half way, some of it is no more what it was.
    this.#kept = new Map();
    this.#epoch = epoch;
    const call = { number: ++this.#calls, lentUpTo: this.#lentUpTo };
    const regions: Region[] = [];
    const all = new Map<string, Kept>();
    let left = this.#most;
    for (const summary of summaries) {
      const key = keyOf(summary.partition, summary.token);
      const { kept, region } = decoded(summary, before.get(key), left, call);
      left -= kept.bytes;
      all.set(key, kept);
      regions.push(region);
      yield;
    }
    this.#kept = all;
    return regions
      .sort((a, b) => a.region - b.region || a.partition - b.partition)
      .flatMap(({ panes }) => panes);
  }
}

interface Call {
  readonly number: number;
  /** What was decoded in later ones is of no more use when it has changed. */
  readonly lentUpTo: number;
}

function keyOf(partition: number, token: string): string {
  return `${String(partition)}/${token}`;
}

/** A region's panes, of which no more than `most` bytes are kept. */
function decoded(
  { known, partition, parts }: EncodedSummary,
  before: Kept | undefined,
  most: number,
  call: Call,
): { readonly region: Region; readonly kept: Kept } {
  const form = formOf(parts);
  if (
    before?.whole !== undefined &&
    before.form === form &&
    before.bytes <= most &&
    isUnchanged(before, parts, known)
  ) {
    return { region: before.whole, kept: before };
  }
  const keeping = new Map<string, Decoded>();
  let bytes = 0;
  const keep = (name: string, one: Decoded): ModelPane => {
    if (bytes + one.bytes <= most) {
      bytes += one.bytes;
      keeping.set(name, one);
    }
    return one.pane;
  };
  const unread = (name: string): ModelPane | undefined => {
    const one = known?.has(name) === true ? before?.panes.get(name) : undefined;
    return one === undefined ? undefined : keep(name, one);
  };
  const read: Once = (name, revision, decode) => {
    if (revision === undefined) {
      return decode();
    }
    const last = before?.panes.get(name);
    if (last !== undefined && isEqual(last.revision, revision)) {
      return keep(name, last);
    }
    const spare = last !== undefined && last.call > call.lentUpTo ? last.pane : undefined;
    return keep(name, measured(revision, decode(spare), call.number));
  };
  const { panes, region } = form.panesOf(parts, read, unread);
  const isWhole = keeping.size === panes.length;
  const placed = isWhole
    ? Array.from(keeping.values(), (one) => (one.placed ??= { region, partition, pane: one.pane }))
    : panes.map((pane) => ({ region, partition, pane }));
  const now = { region, partition, panes: placed };
  const whole = isWhole ? now : undefined;
  const first = (parts.get(form.firstPart) as Uint8Array).slice();
  return { region: now, kept: { form, first, panes: keeping, bytes, whole } };
}

/** Whether the parts are those that all panes of a region were decoded of. */
function isUnchanged(
  { first, form, panes }: Kept,
  parts: EncodedSummary['parts'],
  known: EncodedSummary['known'],
): boolean {
  if (Buffer.compare(first, parts.get(form.firstPart) as Uint8Array) !== 0) {
    return false;
  }
  for (const [name, { revision }] of panes) {
    if (known?.has(name) !== true) {
      const part = parts.get(name);
      if (part === undefined || !isEqual(revision, form.revisionOf(part))) {
        return false;
      }
    }
  }
  return true;
}

function measured(revision: PartRevision, pane: ModelPane, call: number): Decoded {
  return { revision, pane, placed: undefined, bytes: pane.tree.memoryBytes, call };
}

function isEqual({ limit, rows }: PartRevision, other: PartRevision | undefined): boolean {
  return rows === other?.rows && limit === other.limit;
}
