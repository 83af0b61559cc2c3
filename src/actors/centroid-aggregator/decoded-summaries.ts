import type { TableMark } from '../../broker/broker.ts';
import { FeatureTree } from '../../clustering/feature-tree.ts';
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
}

/** Summaries as they were read from the tables. */
export interface ReadSummaries {
  readonly summaries: readonly EncodedSummary[];
  /** By partition: up to where it was read. Default: nobody goes on from there. */
  readonly marks?: readonly TableMark[];
  /**
   * By partition: from where on. Regions and parts that are not given are what they were there.
   * Default: from the beginning, all are given.
   */
  readonly since?: readonly TableMark[] | undefined;
}

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
  /** By the name of the part. Goes on to what is kept of it next. */
  readonly panes: Map<string, Decoded>;
  /** Memory of these panes. */
  readonly bytes: number;
  /** Undefined where not all panes are kept. */
  readonly whole: Region | undefined;
}

/** By partition, then by token. */
type KeptRegions = Map<number, Map<string, Kept>>;

/** Most that is kept: 384 regions of 2,000 features are 45 MB. */
const MOST_BYTES = 96 * 2 ** 20;

/**
 * Panes as they were last decoded: of one with the same revision, in the same epoch, the same is given again, and
 * where all are kept only what has changed since need be read.
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
  #kept: KeptRegions = new Map();
  /** Up to where the tables were read; undefined where not all of it is kept. */
  #marks: readonly TableMark[] | undefined;

  constructor(most = MOST_BYTES) {
    this.#most = most;
  }

  /** From where on the next `decode` of this epoch needs to be given anything. Undefined: all. */
  since(epoch: number): readonly TableMark[] | undefined {
    return epoch === this.#epoch ? this.#marks : undefined;
  }

  /** What was given last is used beyond the next call: it stays as it is. */
  lend(): void {
    this.#lentUpTo = this.#calls;
  }

  /**
   * The panes of all summaries there are now, in the fixed order of a model. Others are forgotten, and all when
   * the epoch is another: then rows have been folded anew.
   * @throws SummaryFormatError when one is damaged or of an unknown version.
   * @throws RangeError when they were read from another mark on than the last call has left.
   */
  *decode({ marks, since, summaries }: ReadSummaries, epoch = 0): Steps<readonly PlacedPane[]> {
    if (since !== undefined && since !== this.since(epoch)) {
      throw new RangeError('summaries were read from another mark on than those that are kept');
    }
    const before = epoch === this.#epoch ? this.#kept : new Map<number, Map<string, Kept>>();
    // Given up half way, some of it is no more what it was.
    this.#kept = new Map();
    this.#marks = undefined;
    this.#epoch = epoch;
    const call = { number: ++this.#calls, lentUpTo: this.#lentUpTo, isOfChanges: since !== undefined };
    const all: KeptRegions = call.isOfChanges ? before : new Map<number, Map<string, Kept>>();
    let left = this.#most - bytesOf(all);
    const partial: Region[] = [];
    for (const summary of summaries) {
      const { partition, token } = summary;
      const last = before.get(partition)?.get(token);
      if (call.isOfChanges) {
        left += last?.bytes ?? 0;
      }
      const { kept, region } = decoded(summary, last, left, call);
      left -= kept.bytes;
      const ofPartition = all.get(partition) ?? new Map<string, Kept>();
      all.set(partition, ofPartition);
      ofPartition.set(token, kept);
      if (kept.whole === undefined) {
        partial.push(region);
      }
      yield;
    }
    const regions = [...wholeRegions(all), ...partial];
    regions.sort((a, b) => a.region - b.region || a.partition - b.partition);
    this.#kept = all;
    this.#marks = partial.length === 0 ? marks : undefined;
    yield;
    return regions.flatMap(({ panes }) => panes);
  }
}

function bytesOf(regions: KeptRegions): number {
  let bytes = 0;
  for (const ofPartition of regions.values()) {
    for (const kept of ofPartition.values()) {
      bytes += kept.bytes;
    }
  }
  return bytes;
}

function* wholeRegions(regions: KeptRegions): Generator<Region> {
  for (const ofPartition of regions.values()) {
    for (const { whole } of ofPartition.values()) {
      if (whole !== undefined) {
        yield whole;
      }
    }
  }
}

interface Call {
  readonly number: number;
  /** What was decoded in later ones is of no more use when it has changed. */
  readonly lentUpTo: number;
  /** What is not given is what it was. */
  readonly isOfChanges: boolean;
}

/** A region's panes, of which no more than `most` bytes are kept. */
function decoded(
  { partition, parts: given }: EncodedSummary,
  before: Kept | undefined,
  most: number,
  call: Call,
): { readonly region: Region; readonly kept: Kept } {
  const known = call.isOfChanges ? before : undefined;
  const parts = known === undefined || given.has(known.form.firstPart) ? given : withFirst(given, known);
  const form = formOf(parts);
  const byName = before?.panes ?? new Map<string, Decoded>();
  // In the order of the panes.
  const keeping: Decoded[] = [];
  /** Likely to change again. */
  const changing = new Set<Decoded>();
  let bytes = 0;
  const keep = (one: Decoded): ModelPane => {
    if (bytes + one.bytes <= most) {
      bytes += one.bytes;
      keeping.push(one);
    }
    return one.pane;
  };
  const unread = (name: string): ModelPane | undefined => {
    const one = known?.panes.get(name);
    return one === undefined ? undefined : keep(one);
  };
  const read: Once = (name, revision, decode) => {
    if (revision === undefined) {
      return decode();
    }
    const last = byName.get(name);
    if (last !== undefined && isEqual(last.revision, revision)) {
      return keep(last);
    }
    const spare = last !== undefined && last.call > call.lentUpTo ? last.pane : undefined;
    const pane = decode(spare);
    const { memoryBytes } = pane.tree;
    const one = { revision, pane, placed: undefined, bytes: memoryBytes, call: call.number };
    byName.set(name, one);
    if (last !== undefined) {
      changing.add(one);
    }
    return keep(one);
  };
  const { panes, region } = form.panesOf(parts, read, unread);
  if (byName.size > keeping.length) {
    for (const [name, one] of byName) {
      if (!keeping.includes(one)) {
        byName.delete(name);
      }
    }
  }
  packTrees(keeping.slice(0, -1).filter((one) => !changing.has(one)));
  const isWhole = keeping.length === panes.length;
  const placed = isWhole
    ? keeping.map(
        (one) => (one.placed ??= { region, partition, pane: one.pane, memo: { source: undefined } }),
      )
    : panes.map((pane) => ({ region, partition, pane }));
  const now = { region, partition, panes: placed };
  const whole = isWhole ? now : undefined;
  const first = copied(parts.get(form.firstPart) as Uint8Array, before?.first);
  return { region: now, kept: { form, first, panes: byName, bytes, whole } };
}

function withFirst(given: EncodedSummary['parts'], { first, form }: Kept): EncodedSummary['parts'] {
  return new Map([...given, [form.firstPart, first]]);
}

/** Trees that are likely to stay as they are, in one buffer: one that changes takes over memory of its own. */
function packTrees(decoded: readonly Decoded[]): void {
  FeatureTree.pack(decoded.map(({ pane }) => pane.tree).filter((tree) => tree instanceof FeatureTree));
}

/** @param spare of no more use: taken where it is as long */
function copied(bytes: Uint8Array, spare: Uint8Array | undefined): Uint8Array {
  if (spare?.length !== bytes.length) {
    // It is small, and so comes from the pool: to keep a buffer for each takes longer to collect.
    return Buffer.from(bytes);
  }
  spare.set(bytes);
  return spare;
}

function isEqual({ limit, rows }: PartRevision, other: PartRevision): boolean {
  return rows === other.rows && limit === other.limit;
}
