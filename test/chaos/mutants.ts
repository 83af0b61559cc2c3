import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeMutant, MUTANTS, type Mutant } from '../kills/mutants.ts';
import type { Blow } from './plan.ts';

interface ChaosMutant {
  readonly name: string;
  readonly changes: readonly [Omit<Mutant, 'name'>, ...(readonly Omit<Mutant, 'name'>[])];
  /** What makes it show. */
  readonly plan: readonly Blow[];
}

const KILLS: readonly Blow[] = [
  { at: 'publish-transaction', pass: 12 },
  { at: 'checkpoint', pass: 20 },
];

/** Changes to the built program that break exactly-once; the same checks must notice each. */
export const CHAOS_MUTANTS: readonly ChaosMutant[] = [
  {
    // An owner that wakes up is told by two means that it is none any more; this one by neither.
    name: 'no writer is fenced, and an expelled owner does not notice',
    changes: [
      {
        file: 'dist/broker/kafka/broker.js',
        find: 'transactionalId: `${group}-${name}`',
        replace: 'transactionalId: `${group}-${name}-${process.pid}`',
      },
      {
        file: 'dist/broker/kafka/group-session.js',
        find: '#end(verdict, tell) {',
        replace: "#end(verdict, tell) { if (verdict === 'lost') return 'unclear';",
      },
    ],
    // Which of its steps a stop hits is luck: several tries.
    plan: [
      { at: 'stop', afterMs: 300 },
      { at: 'stop', afterMs: 200 },
      { at: 'stop', afterMs: 400 },
      { at: 'outside', afterMs: 15_000 },
    ],
  },
  ...MUTANTS.map(({ name, ...change }): ChaosMutant => ({ name, changes: [change], plan: KILLS })),
];

/** A copy of the built program in `folder` with the mutant's changes. @returns its root. */
export function makeChaosMutant({ changes, name }: ChaosMutant, folder: string): string {
  const [first, ...others] = changes;
  const root = makeMutant({ name, ...first }, folder);
  for (const { file, find, replace } of others) {
    const at = join(root, file);
    const text = readFileSync(at, 'utf8');
    if (text.split(find).length !== 2) {
      throw new Error(`mutant '${name}': ${file} does not have its place exactly once`);
    }
    writeFileSync(at, text.replace(find, replace));
  }
  return root;
}
