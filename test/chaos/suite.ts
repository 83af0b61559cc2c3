import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { FAULT_POINTS } from '../../src/system/faults.ts';
import { PROJECT } from '../kills/kill-run.ts';
import { givenBrokers, useKafka, useOwnKafka } from '../support/kafka.ts';
import { randomName } from '../support/random-name.ts';
import type { Chaos, Verdict } from './chaos.ts';
import { runChaos } from './chaos-run.ts';
import { type Amount, describeBlow, planOf, seeded } from './plan.ts';
import { killReplicas } from './replica.ts';
import { linesOfFiles } from './truth.ts';

/** The input of a run, and its steps. */
export interface Run {
  readonly files: number;
  /** At a time: as few as keep both replicas at work, so that the blows fall inside it. */
  readonly readyFiles: number;
  readonly rowsAFile: number;
  readonly partitions: number;
  readonly transactionBytes: string;
  readonly withinMs: number;
}

export type Extent = Run & Amount;

export interface ChaosSuite {
  readonly random: () => number;
  readonly say: (line: string) => void;
  readonly folder: () => string;
  readonly run: (
    name: string,
    extent: Run,
    rest: Pick<Chaos, 'plan' | 'root'> & { readonly killBroker: boolean },
  ) => Promise<Verdict>;
}

/**
 * In a suite: a Kafka, a folder, and a seed that is printed. The brokers of `KAFKA_BROKERS` are not ours to
 * kill: then only the replicas are.
 */
export function useChaos(): ChaosSuite {
  const own = givenBrokers.length > 0 ? undefined : useOwnKafka();
  const brokers = own === undefined ? useKafka() : () => own().brokers;
  const seed = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000);
  const say = (line: string): void => {
    process.stdout.write(`      ${line}\n`);
  };
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'geoflock-chaos-'));
    say(`CHAOS_SEED=${String(seed)}`);
  });
  let failed = false;
  afterEach(function () {
    failed ||= this.currentTest?.state === 'failed';
  });
  const cutOff = new AbortController();
  after(async () => {
    // Where mocha's own limit was first, a run is still going.
    cutOff.abort(new Error('the suite is over'));
    await killReplicas();
    if (failed) {
      say(`the replicas' logs, configuration and reports are in ${folder}`);
      return;
    }
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    random: seeded(seed),
    say,
    folder: () => folder,
    run: async (
      name,
      { files, partitions, readyFiles, rowsAFile, transactionBytes, withinMs },
      { killBroker, plan, root },
    ) => {
      const stage = join(folder, name);
      const staged = join(stage, 'staged');
      execFileSync(process.execPath, [
        join(PROJECT, 'bin/geoflock.js'),
        ...['generate', staged, String(rowsAFile), '--files', String(files), '--seed', String(seed)],
      ]);
      const truth = linesOfFiles(staged);
      expect(truth.count).to.equal(files * rowsAFile);
      const topics = { prefix: `${randomName()}.`, group: 'first', rows: 'mobile_data', partitions };
      const verdict = await runChaos({
        plan,
        root,
        folder: stage,
        brokers: brokers(),
        toKill: killBroker ? own?.() : undefined,
        topics,
        transactionBytes,
        withinMs,
        truth,
        files,
        readyFiles,
        signal: cutOff.signal,
        // Several may run at the same time.
        say: (line) => {
          say(`${name.slice(0, 20).padEnd(20)} ${line}`);
        },
      });
      if (verdict.problems.length === 0) {
        expect(readdirSync(join(stage, 'input')), 'files that are not settled').to.deep.equal([]);
      }
      return verdict;
    },
  };
}

/** Runs the chaos and holds it to what it is to have been. */
export async function chaosIsExact(suite: ChaosSuite, extent: Extent): Promise<void> {
  const plan = planOf(extent, suite.random);
  suite.say(`the plan: ${plan.map(describeBlow).join(', ')}`);
  const verdict = await suite.run('right', extent, { plan, killBroker: true, root: PROJECT });
  const { kills, problems, stops } = verdict;
  expect(problems).to.deep.equal([]);
  expect(kills.length).to.equal(plan.length);
  expect(stops).to.equal(extent.stops);
  for (const point of FAULT_POINTS) {
    expect(kills.filter(({ blow }) => blow.at === point).length, point).to.be.at.least(extent.faults);
  }
  const rows = extent.files * extent.rowsAFile;
  // A fault point is passed only at work, of which the observer may not have seen anything yet.
  const inside = kills.filter(
    ({ blow, countedAfter, readBefore }) => (readBefore > 0 || 'pass' in blow) && countedAfter < rows,
  ).length;
  suite.say(`${String(inside)} of ${String(kills.length)} kills between the first and the last row`);
  expect(inside / kills.length).to.be.at.least(0.8);
}
