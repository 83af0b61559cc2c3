/**
 * What a region can do with its rows: the one place that knows every algorithm. A region actor folds and stores
 * by a `RegionAlgorithm`; whoever reads what is stored finds out by its first part which one it is of.
 */
import { BatchedKMeans, type BatchedKMeansOptions, decodeKMeansHead, KMEANS } from './batched-kmeans.ts';
import { FeatureTree } from './feature-tree.ts';
import { SummaryFormatError } from './features.ts';
import { KMeansFeatures } from './kmeans-features.ts';
import type { ModelPane } from './model-time.ts';
import { REST } from './panes.ts';
import type { RegionState } from './region-state.ts';
import { decodeParts, RegionSummary, type SummaryOptions } from './region-summary.ts';
import { decodeHead, decodePane, HEAD, type PartRevision, revisionOf } from './summary-format.ts';

type Parts = ReadonlyMap<string, Uint8Array>;

/**
 * Gives what was decoded before of the same revision of that part, or else decodes. Without a revision only the
 * bytes tell.
 */
export type Once = (part: string, revision: PartRevision | undefined, decode: DecodePane) => ModelPane;

/** @param spare a pane that is of no more use: its memory may be taken over. */
export type DecodePane = (spare?: ModelPane) => ModelPane;

/** What the first part of a stored state tells. */
export interface StoredHead {
  readonly region: number;
  readonly watermark: number;
  /** Names of the other parts. */
  readonly others: readonly string[];
}

/** How the states of an algorithm are stored; it does not depend on options. */
export interface StoredForm {
  /** Name of the part that tells of the others; each form has its own. */
  readonly firstPart: string;
  /** Rows are told apart by event time: they can count less with age, or not at all. */
  readonly inTime: boolean;
  /** @throws SummaryFormatError when the bytes are damaged or of an unknown version. */
  headOf(first: Uint8Array): StoredHead;
  /** Of a part with a pane, as `panesOf` tells it. */
  revisionOf(part: Uint8Array): PartRevision | undefined;
  /**
   * The rows as a model reads them, in ascending order of time.
   * @param unread what is known of a part that is not among these: never the first
   * @throws SummaryFormatError when the parts are damaged, of an unknown version, or not all there.
   */
  panesOf(
    parts: Parts,
    once: Once,
    unread?: (part: string) => ModelPane | undefined,
  ): { readonly region: number; readonly panes: readonly ModelPane[] };
}

/** What a region keeps of its rows, and how. */
export interface RegionAlgorithm {
  /** What must be equal for two states to be of one model, in words. */
  readonly description: string;
  readonly form: StoredForm;
  /** @throws RangeError for an unknown region. */
  empty(region: number, level: number): RegionState;
  /**
   * The state that these parts are of: it goes on as the stored one would have.
   * @throws SummaryFormatError when they are damaged, of an unknown version, or not all there.
   */
  decode(parts: Parts): RegionState;
}

const SUMMARY_FORM: StoredForm = {
  firstPart: HEAD,
  inTime: true,
  headOf: (first) => {
    const { panes, region, watermark } = decodeHead(first);
    return { region, watermark, others: panes };
  },
  revisionOf,
  panesOf: (parts, once, unread) => {
    const { head, panes } = decodeParts<ModelPane>(
      parts,
      (name, bytes, root) =>
        once(name, revisionOf(bytes), (spare) =>
          decodePane(name, bytes, root, spare?.tree instanceof FeatureTree ? spare.tree : undefined),
        ),
      unread,
    );
    return { region: head.region, panes };
  },
};

const KMEANS_FORM: StoredForm = {
  firstPart: KMEANS,
  inTime: false,
  headOf: (first) => ({ ...decodeKMeansHead(first), others: [] }),
  revisionOf: (part) => ({ rows: decodeKMeansHead(part).rows }),
  panesOf: (parts, once) => {
    const bytes = partOf(parts, KMEANS);
    const { region, rows } = decodeKMeansHead(bytes);
    return { region, panes: [once(KMEANS, { rows }, () => paneOf(BatchedKMeans.decode(bytes)))] };
  },
};

const FORMS: readonly StoredForm[] = [SUMMARY_FORM, KMEANS_FORM];

/** Clustering features by panes of event time, of which models are made at will (`region-summary.ts`). */
export function summaryAlgorithm(options: SummaryOptions): RegionAlgorithm {
  return {
    description: 'summary',
    form: SUMMARY_FORM,
    empty: (region, level) => RegionSummary.empty(region, level, options),
    decode: (parts) => RegionSummary.decode(parts, options),
  };
}

/**
 * Spark's streaming k-means in every region (`batched-kmeans.ts`). A stored state goes on by the options it was
 * made with.
 * @param description of the options.
 * @throws RangeError for an option that is out of its range.
 */
export function streamingKMeansAlgorithm(
  options: BatchedKMeansOptions,
  description: string,
): RegionAlgorithm {
  // What is wrong with the options is to be found before the first row.
  BatchedKMeans.empty(0, 0, options);
  return {
    description,
    form: KMEANS_FORM,
    empty: (region, level) => BatchedKMeans.empty(region, level, options),
    decode: (parts) => BatchedKMeans.decode(partOf(parts, KMEANS)),
  };
}

/** The form whose first part has this name; undefined: the part is another one. */
export function formWithFirstPart(part: string): StoredForm | undefined {
  return FORMS.find(({ firstPart }) => firstPart === part);
}

/**
 * How these parts are stored.
 * @throws SummaryFormatError when there is no first part.
 */
export function formOf(parts: Parts): StoredForm {
  const form = FORMS.find(({ firstPart }) => parts.has(firstPart));
  if (form === undefined) {
    throw new SummaryFormatError('a region summary is damaged: it has no head');
  }
  return form;
}

function partOf(parts: Parts, name: string): Uint8Array {
  const bytes = parts.get(name);
  if (bytes === undefined) {
    throw new SummaryFormatError(`a region summary is damaged: its part ${name} is missing`);
  }
  return bytes;
}

/** All rows as one: of those of a streaming k-means no times are kept but the greatest. */
function paneOf(state: BatchedKMeans): ModelPane {
  const { rows, watermark } = state;
  return {
    span: { name: REST, from: -Infinity, to: Infinity },
    tree: new KMeansFeatures(state),
    rows,
    earliest: -Infinity,
    latest: watermark,
    meanTime: watermark,
  };
}
