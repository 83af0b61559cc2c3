import type { ModelOptions } from '../../clustering/model.ts';
import type { RowSpan, TimeOptions } from '../../clustering/model-time.ts';
import type { Configuration } from '../../config/schema.ts';
import { decodeLedgerEntry } from '../ingest/ledger.ts';
import { ledgerTotals } from '../ingest/ledger-store.ts';
import type { LedgerPorts } from '../ingest/file-accounts.ts';
import { FILE_PREFIX } from '../topics.ts';

/** Where a model comes from, beside the next offsets of its rows: recorded with it when it is published. */
export interface ModelLineage {
  /** Of the program that made it. */
  readonly version: string;
  /** Event times of the oldest and the newest row that counts. */
  readonly span: RowSpan;
  /** As the ledger knew them when the model was made: its rows from files are of these. */
  readonly files: {
    /** How many were read to their end. */
    readonly done: number;
    /** Paths of some of which rows were read, in order; of all where they are not more than MOST_NAMES. */
    readonly names: readonly string[];
  };
  readonly settings: LineageSettings;
}

export interface LineageSettings {
  /** What the regions do with their rows. */
  readonly algorithm: string;
  readonly k: ModelOptions['k'];
  readonly seed: number | null;
  readonly seedings: number | null;
  readonly searchFeatures: number | null;
  /** Null: rows count the same at any age. */
  readonly halfLifeSeconds: number | null;
  /** Null: rows count at any age. */
  readonly windowSeconds: number | null;
  /** S2 level of the regions, and most features of one of their panes. */
  readonly level: number;
  readonly features: number;
}

/** By what a model is made. */
export interface MadeBy {
  readonly version: string;
  readonly model: ModelOptions;
  readonly time: TimeOptions;
  readonly regions: Pick<LineageSettings, 'algorithm' | 'level' | 'features'>;
}

export const MOST_NAMES = 20;
/** Of files without rows so many are passed over, however many there are. */
const MOST_LOOKS = 1_000;

/** What of the configuration tells how the regions' summaries were made. */
export function regionsOf({
  clustering,
  regions,
}: Pick<Configuration, 'clustering' | 'regions'>): MadeBy['regions'] {
  return { algorithm: clustering.algorithm, level: regions.level, features: regions.features };
}

/** To be asked for after the summaries were read: the ledger knows of each row before they do. */
export async function lineageOf(ports: LedgerPorts, made: MadeBy, span: RowSpan): Promise<ModelLineage> {
  const { model, regions, time, version } = made;
  return {
    version,
    span,
    files: await filesOf(ports),
    settings: {
      algorithm: regions.algorithm,
      k: model.k,
      seed: model.seed ?? null,
      seedings: model.seedings ?? null,
      searchFeatures: model.searchFeatures ?? null,
      halfLifeSeconds: inSeconds(time.halfLifeMs),
      windowSeconds: inSeconds(time.windowMs),
      level: regions.level,
      features: regions.features,
    },
  };
}

function inSeconds(ms: number | undefined): number | null {
  return ms === undefined ? null : ms / 1000;
}

/** In constant time and memory, since it goes with every live model: sums, and a few entries. */
async function filesOf({ broker, partitions, topics }: LedgerPorts): Promise<ModelLineage['files']> {
  const { files: table } = topics;
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  await Promise.all(all.map((partition) => broker.refreshTable(table, partition)));
  let done = 0;
  let looks = 0;
  const names = new Set<string>();
  for (const partition of all) {
    for await (const totals of ledgerTotals(broker, table, partition)) {
      done += totals.done;
    }
    for await (const { value } of broker.tableEntries(table, partition, FILE_PREFIX)) {
      if (names.size === MOST_NAMES || looks === MOST_LOOKS) {
        break;
      }
      looks++;
      const { path, read } = decodeLedgerEntry(value);
      if (read > 0) {
        names.add(path);
      }
    }
  }
  return { done, names: [...names].sort() };
}
