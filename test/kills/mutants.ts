import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PROJECT } from './kill-run.ts';

/** A change to the built program that breaks exactly-once; the kill test must notice it. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'the stored offset is ignored',
    file: 'dist/actors/partition/partition-task.js',
    find: 'broker.openReader(topics.rows, partition, progress.nextOffset)',
    replace: 'broker.openReader(topics.rows, partition, 0)',
  },
  {
    name: 'the ledger is ignored',
    file: 'dist/actors/publisher/publisher-task.js',
    find: 'const entry = await ledger.entry(path);',
    replace: 'const entry = undefined;',
  },
];

/** A copy of the built program in `folder` with the mutant's change. @returns its root. */
export function makeMutant(mutant: Mutant, folder: string): string {
  mkdirSync(folder, { recursive: true });
  for (const part of ['bin', 'dist', 'config', 'package.json']) {
    cpSync(join(PROJECT, part), join(folder, part), { recursive: true });
  }
  symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
  const file = join(folder, mutant.file);
  const text = readFileSync(file, 'utf8');
  if (text.split(mutant.find).length !== 2) {
    throw new Error(`mutant '${mutant.name}': ${dirname(mutant.file)} does not have its place exactly once`);
  }
  writeFileSync(file, text.replace(mutant.find, mutant.replace));
  return folder;
}
