import type { DriftEvent } from '../clustering/drift.ts';
import type { ClusterEvent } from '../clustering/identity.ts';
import type { KChange } from '../clustering/live-k.ts';
import type { NamedModel } from '../clustering/geojson.ts';

/** All that a report says, so that drawing it is a function of this and nothing else. */
export interface ReportData {
  /** Wall-clock ms at which it was made. */
  readonly madeAt: number;
  /** Version of Geoflock. */
  readonly version: string;
  readonly model: NamedModel;
  /** Level of the S2 cells that are regions. */
  readonly level: number;
  readonly regions: readonly RegionRows[];
  /** Ascending in time, none overlap; empty where no row is counted. */
  readonly rowsOverTime: readonly TimeBin[];
  readonly rows: { readonly read: number; readonly counted: number; readonly rejected: number };
  readonly rejected: readonly RejectedReason[];
  readonly files: FilesSummary;
  /** The last ones, the newest first. */
  readonly events: readonly TimedEvent[];
}

export interface RegionRows {
  /** Index of the region. */
  readonly region: number;
  /** Rows that count in the model, each once. */
  readonly rows: number;
}

/** Rows by their event time, evenly spread over the pane that they are kept in. */
export interface TimeBin {
  /** Event time, ms since the epoch: `[from, to)`. */
  readonly from: number;
  readonly to: number;
  readonly rows: number;
}

export interface RejectedReason {
  readonly reason: string;
  readonly rows: number;
  /** The last ones of this reason, the newest first. */
  readonly examples: readonly RejectedExample[];
}

export interface RejectedExample {
  readonly message: string;
  /** Where it stood: file and line, or topic, partition, offset and line. */
  readonly where: string;
  /** Beginning of the row, or what it is if it is no text. */
  readonly row: string;
}

export interface FilesSummary {
  readonly done: number;
  readonly failed: number;
  /** The last that changed, the newest first. */
  readonly last: readonly ReportedFile[];
}

export interface ReportedFile {
  readonly path: string;
  readonly state: string;
  readonly read: number;
  readonly rejected: number;
  /** Why it failed. */
  readonly problem: string | undefined;
}

/** What is news in a model. */
export type ReportedEvent = ClusterEvent | DriftEvent | KChange;

export interface TimedEvent {
  /** Wall-clock ms of the model that it came with. */
  readonly at: number;
  readonly event: ReportedEvent;
}
