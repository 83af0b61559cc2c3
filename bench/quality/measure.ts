import { costOf, readModel } from './cost.ts';
import type { Measured } from './judge.ts';
import { exportedModel } from './program.ts';
import { eventTimes, type Rows } from './stream.ts';

/** The same rows at another pace: nothing but their event times differs. */
export interface Form {
  readonly name: string;
  /** Undefined: one report a minute of each device. */
  readonly hours: number | undefined;
}

export const FORMS: readonly Form[] = [
  { name: 'a report a minute', hours: undefined },
  { name: 'over 24 h', hours: 24 },
];

/** What the program makes of a stream, judged by the raw rows. */
export function measure(rows: Rows, { hours }: Form, k: number, seed: number, reference: number): Measured {
  const exported = exportedModel(rows, eventTimes(rows.count, seed, hours), k);
  return judged(rows, exported, reference);
}

/** `exported` holds the bytes of a `model.json`. */
export function judged(rows: Rows, exported: string, reference: number): Measured {
  const { bounds, centers, weight } = readModel(exported);
  return { rows: rows.count, cost: costOf(rows, centers), reference, bounds, weight };
}
