import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeMutant, MUTANTS, type Mutant } from '../kills/mutants.ts';
import type { Blow } from './plan.ts';
import type { Run } from './suite.ts';

interface ChaosMutant {
  readonly name: string;
  readonly changes: readonly [Omit<Mutant, 'name'>, ...(readonly Omit<Mutant, 'name'>[])];
  /** What makes it show, and where. */
  readonly plan: readonly Blow[];
  readonly run: Run;
}

const RUN: Run = {
  files: 8,
  readyFiles: 3,
  rowsAFile: 8_000,
  partitions: 4,
  transactionBytes: '80KiB',
  withinMs: 480_000,
};
/**
 * One long file at a time: whoever takes over has nothing else to do, and whoever wakes up finds the rest of
 * the file that it had in hand.
 */
const ONE_LONG_FILE: Run = { ...RUN, files: 2, readyFiles: 1, rowsAFile: 32_000, transactionBytes: '8KiB' };

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
    // Either replica may be the first to have the file in hand; the last one is there to take over.
    plan: [
      { at: 'stop', afterMs: 300 },
      { at: 'stop', afterMs: 200 },
      { at: 'outside', afterMs: 10_000 },
    ],
    run: ONE_LONG_FILE,
  },
  ...MUTANTS.map(({ name, ...change }): ChaosMutant => ({ name, changes: [change], plan: KILLS, run: RUN })),
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
