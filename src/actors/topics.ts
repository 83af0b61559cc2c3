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
  /** Table of one partition: what was asked for while running, such as the last rewind. */
  readonly settings: string;
  /** Commands for the replicas, one partition. */
  readonly control: string;
  /** What became of every command, one partition. */
  readonly replies: string;
  /**
   * Header of a rows message that says which lines of which file it holds (`src/rows/origin.ts`). Named
   * after the group, because a file is in the ledger of whoever published it: to another group that
   * counts the same rows they are foreign.
   */
  readonly originHeader: string;
  /** Header of the message of a row that had been rejected before (`rejected/redriven.ts`). */
  readonly redrivenHeader: string;
  /** Header of some messages that tells when their rows arrived on disk (`arrivals.ts`). */
  readonly arrivedHeader: string;
}

export interface TopicSettings {
  /** All replicas of one Geoflock have the same; two that count the same rows apart have different ones. */
  readonly group: string;
  readonly prefix: string;
  readonly rows: string;
  readonly partitions: number;
}

export interface Retention {
  readonly bytes: number;
  readonly ageMs: number;
}

/** Rows that this group rejected stand in the topic named after the rows alone. */
const DEFAULT_GROUP = 'geoflock';

export function topicNames({ group, prefix, rows }: TopicSettings): TopicNames {
  return {
    rows: `${prefix}${rows}`,
    rejected: `${prefix}${rows}.rejected${group === DEFAULT_GROUP ? '' : `.${group}`}`,
    files: `${prefix}${group}.files`,
    regions: `${prefix}${group}.regions`,
    models: `${prefix}${group}.models`,
    settings: `${prefix}${group}.settings`,
    control: `${prefix}${group}.control`,
    replies: `${prefix}${group}.control.replies`,
    redrivenHeader: `${prefix}${group}-redriven`,
    originHeader: `${prefix}${group}-origin`,
    arrivedHeader: `${prefix}${group}-arrived`,
  };
}

/** The names of the consumer groups: who owns what. */
export interface GroupNames {
  /** Over the rows topic: who clusters a partition. Also the first part of all transactional ids. */
  readonly rows: string;
  /** Over the files table: who publishes the files of a partition. */
  readonly ingest: string;
  /** Over the models topic: who publishes the model. */
  readonly models: string;
}

export function groupNames({ group, prefix }: Pick<TopicSettings, 'group' | 'prefix'>): GroupNames {
  const name = `${prefix}${group}`;
  return { rows: name, ingest: `${name}.ingest`, models: `${name}.models` };
}

export function topicSpecs(
  names: TopicNames,
  partitions: number,
  retention: { readonly rows: Retention; readonly rejected: Retention },
): readonly TopicSpec[] {
  const ofCommands = { ...retention.rejected, retainUnconsumed: false };
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
    { name: names.settings, kind: 'table', partitions: 1 },
    { name: names.control, kind: 'log', partitions: 1, retention: ofCommands },
    { name: names.replies, kind: 'log', partitions: 1, retention: ofCommands },
  ];
}

/** Keys of the regions table. */
export const PROGRESS_KEY = 'progress';
export const SUMMARY_PREFIX = 'summary/';

/** Keys of the files table. */
export const TOTALS_KEY = 'totals';
/** In partition 0: the rows topic named after it was made by Geoflock. */
export const CREATED_PREFIX = 'created/';
export const FILE_PREFIX = 'file/';
export const CLOSED_PREFIX = 'closed/';
/** A rejected row that was redriven, by its id. */
export const REDRIVEN_PREFIX = 'redriven/';

/** Keys of the settings table: the last rewind, and the clusters of the last live model. */
export const EPOCH_KEY = 'epoch';
export const LIVE_KEY = 'live';
/** Values that were set while it runs, by key of the configuration. */
export const SET_PREFIX = 'set/';
/** Files that are to be tried again, by path. */
export const RETRY_PREFIX = 'retry/';
/** Commands that were admitted, by id, or by id and replica. */
export const COMMAND_PREFIX = 'command/';
