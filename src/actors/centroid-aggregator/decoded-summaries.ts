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
  /** By the name of the part. Goes on to what is kept of it next. */
  readonly panes: Map<string, Decoded>;
  /** Memory of these panes. */
  readonly bytes: number;
  /** Undefined where not all panes are kept. */
  readonly whole: Region | undefined;
}

/** By partition, then by token. */
type KeptRegions = ReadonlyMap<number, ReadonlyMap<string, Kept>>;

const NOTHING: KeptRegions = new Map();

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
  #kept = NOTHING;

  constructor(most = MOST_BYTES) {
    this.#most = most;
  }

  /** The parts that `decode` of this epoch would find unchanged: all but the first of each region. Until the next `decode`. */
  knows(epoch: number): KnowsPart {
    const kept = epoch === this.#epoch ? this.#kept : NOTHING;
    return (partition, token, part, bytes) => {
      const region = kept.get(partition)?.get(token);
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
    const before = epoch === this.#epoch ? this.#kept : NOTHING;
    // Given up half way, some of it is no more what it was.
    this.#kept = NOTHING;
    this.#epoch = epoch;
    const call = { number: ++this.#calls, lentUpTo: this.#lentUpTo };
    const regions: Region[] = [];
    const all = new Map<number, Map<string, Kept>>();
    let left = this.#most;
    for (const summary of summaries) {
      const { partition, token } = summary;
      const { kept, region } = decoded(summary, before.get(partition)?.get(token), left, call);
      left -= kept.bytes;
      const ofPartition = all.get(partition) ?? new Map<string, Kept>();
      all.set(partition, ofPartition);
      ofPartition.set(token, kept);
      regions.push(region);
      yield;
    }
    this.#kept = all;
    regions.sort((a, b) => a.region - b.region || a.partition - b.partition);
    yield;
    return regions.flatMap(({ panes }) => panes);
  }
}

interface Call {
  readonly number: number;
  /** What was decoded in later ones is of no more use when it has changed. */
  readonly lentUpTo: number;
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
  const byName = before?.panes ?? new Map<string, Decoded>();
  // In the order of the panes.
  const keeping: Decoded[] = [];
  let bytes = 0;
  const keep = (one: Decoded): ModelPane => {
    if (bytes + one.bytes <= most) {
      bytes += one.bytes;
      keeping.push(one);
    }
    return one.pane;
  };
  const unread = (name: string): ModelPane | undefined => {
    const one = known?.has(name) === true ? byName.get(name) : undefined;
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

/** @param spare of no more use: taken where it is as long */
function copied(bytes: Uint8Array, spare: Uint8Array | undefined): Uint8Array {
  if (spare?.length !== bytes.length) {
    return bytes.slice();
  }
  spare.set(bytes);
  return spare;
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

function isEqual({ limit, rows }: PartRevision, other: PartRevision | undefined): boolean {
  return rows === other?.rows && limit === other.limit;
}
