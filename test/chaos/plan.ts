import { FAULT_POINTS, type FaultPoint } from '../../src/system/faults.ts';

/** What befalls one life of a replica, once it is at work. A stopped one goes on, and is killed later. */
export type Blow =
  | { readonly at: FaultPoint; readonly pass: number }
  | { readonly at: 'outside'; readonly afterMs: number }
  | { readonly at: 'stop'; readonly afterMs: number };

export interface Amount {
  /** Of each named fault point. */
  readonly faults: number;
  readonly outside: number;
  readonly stops: number;
}

/** Small, seeded, and printed: a failure can be replayed with the same seed. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The blows in a random order, the stops rather early. */
export function planOf({ faults, outside, stops }: Amount, random: () => number): readonly Blow[] {
  const within = (least: number, span: number): number => least + Math.floor(random() * span);
  const plan: Blow[] = [];
  for (let turn = 0; turn < faults; turn++) {
    // The end of a file comes once a file; the others come with every transaction.
    plan.push(...FAULT_POINTS.map((at) => ({ at, pass: at === 'commit-settle' ? 1 : within(2, 4) })));
  }
  for (let turn = 0; turn < outside; turn++) {
    plan.push({ at: 'outside', afterMs: within(200, 2_000) });
  }
  for (let turn = 0; turn < stops; turn++) {
    plan.push({ at: 'stop', afterMs: within(200, 1_000) });
  }
  // Whoever is stopped needs somebody beside it that takes over.
  return plan
    .map((blow) => ({ blow, order: blow.at === 'stop' ? random() / 2 : random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ blow }) => blow);
}

export function describeBlow(blow: Blow): string {
  return 'pass' in blow
    ? `${blow.at}:${String(blow.pass)}`
    : `${blow.at} after ${String(blow.afterMs)} ms of work`;
}
