import type { TopicSpec } from '../broker/broker.ts';

/** The names of everything Geoflock keeps in the broker, and the keys of its tables. */
export interface TopicNames {
  /** Rows, one CSV line or many a message, in the topic's column order. */
  readonly rows: string;
  /** Rows that were set aside, each with its reason and origin. */
  readonly rejected: string;
  /** Table: how far each source file has been read. */
  readonly files: string;
  /** Table: region summaries and the next offset, one state partition for each input partition. */
  readonly regions: string;
  /** Published models, one partition. */
  readonly models: string;
}

export interface TopicSettings {
  readonly prefix: string;
  readonly rows: string;
  readonly partitions: number;
}

export interface Retention {
  readonly bytes: number;
  readonly ageMs: number;
}

export function topicNames({ prefix, rows }: TopicSettings): TopicNames {
  return {
    rows: `${prefix}${rows}`,
    rejected: `${prefix}${rows}.rejected`,
    files: `${prefix}geoflock.files`,
    regions: `${prefix}geoflock.regions`,
    models: `${prefix}geoflock.models`,
  };
}

export function topicSpecs(
  names: TopicNames,
  partitions: number,
  retention: { readonly rows: Retention; readonly rejected: Retention },
): readonly TopicSpec[] {
  return [
    { name: names.rows, kind: 'log', partitions, retention: retention.rows },
    {
      name: names.rejected,
      kind: 'log',
      partitions: 1,
      retention: { ...retention.rejected, retainUnconsumed: false },
    },
    { name: names.files, kind: 'table', partitions },
    { name: names.regions, kind: 'table', partitions },
    {
      name: names.models,
      kind: 'log',
      partitions: 1,
      retention: { ...retention.rejected, retainUnconsumed: false },
    },
  ];
}

/** Keys of the regions table. */
export const PROGRESS_KEY = 'progress';
export const SUMMARY_PREFIX = 'summary/';

/** Keys of the files table. */
export const TOTALS_KEY = 'totals';
export const FILE_PREFIX = 'file/';
export const CLOSED_PREFIX = 'closed/';

/** Header of a rows message that says which lines of which file it holds (`src/rows/origin.ts`). */
export const ORIGIN_HEADER = 'geoflock-origin';
