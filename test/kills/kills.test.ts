import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { FAULT_POINTS } from '../../src/system/faults.ts';
import {
  committed,
  countRows,
  killRunning,
  type Kill,
  modelBytes,
  type OnceOutput,
  prepare,
  PROJECT,
  run,
  type Stage,
} from './kill-run.ts';
import { makeMutant, MUTANTS } from './mutants.ts';

const FILES = 4;
const ROWS_A_FILE = 500_000;
const KILLS_A_FILE = 5;

/** Where a file's kills fall: at each named point once, at its last file's points twice, and outside. */
function planFor(file: number, random: () => number): readonly Kill[] {
  const few = (most: number): number => 2 + Math.floor(random() * most);
  const outside = (): Kill => ({ at: 'outside', afterMs: Math.floor(random() * 250) });
  const inside: Kill[] = [
    { at: 'publish-transaction', pass: few(8) },
    { at: 'checkpoint', pass: few(6) },
    { at: 'flush-acknowledge', pass: few(6) },
    outside(),
  ];
  // The end of a file comes once a file: the run goes on to it and dies there.
  return file < FILES - 1 ? [...inside, { at: 'commit-settle', pass: 1 }] : [...inside, outside(), outside()];
}

/** Small, seeded, and printed: a failure can be replayed with the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What an undisturbed run made of the same files; how many rows they have was counted apart. */
interface Truth {
  readonly rows: number;
  readonly rejected: number;
  readonly weight: number;
  readonly files: number;
  readonly model: string;
}

interface Verdict {
  readonly problems: readonly string[];
  readonly kills: readonly { readonly kill: Kill; readonly read: number; readonly counted: number }[];
}

/** Runs the plan, then to the end, and compares with the truth. */
async function killAndFinish(
  stage: Stage,
  plan: readonly Kill[],
  truth: Truth,
  say: (line: string) => void,
): Promise<Verdict> {
  const problems: string[] = [];
  const kills: Verdict['kills'][number][] = [];
  for (const kill of plan) {
    const ended = await run(stage, kill);
    if (ended.signal !== 'SIGKILL' || ended.hung) {
      problems.push(
        `not killed at ${JSON.stringify(kill)}: exit ${String(ended.code)}: ${ended.stderr.slice(-500)}`,
      );
      break;
    }
    const { rows } = await committed(stage);
    kills.push({ kill, read: rows.read, counted: rows.counted });
    say(
      `kill ${String(kills.length).padStart(2)} ${kill.at.padEnd(20)} committed: ` +
        `${String(rows.read).padStart(8)} rows read, ${String(rows.counted).padStart(8)} counted`,
    );
  }
  const last = await run(stage);
  if (last.code !== 0) {
    problems.push(`the last run ended with ${String(last.code)}: ${last.stderr.slice(-500)}`);
    return { problems, kills };
  }
  const output = JSON.parse(last.stdout) as OnceOutput;
  const { files, model, rows } = output;
  for (const [what, is, should] of [
    ['rows read', rows.read, truth.rows],
    ['rows counted', rows.counted, truth.rows - truth.rejected],
    ['rows rejected', rows.rejected, truth.rejected],
    ['weight', model.weight, truth.weight],
    ['files done', files.done, truth.files],
  ] as const) {
    if (is !== should) {
      problems.push(`${what}: ${String(is)}, should be ${String(should)}`);
    }
  }
  if (modelBytes(stage) !== truth.model) {
    problems.push('model.json is not that of an undisturbed run');
  }
  if (readdirSync(join(stage.folder, 'input')).length > 0) {
    problems.push('not every file was settled');
  }
  return { problems, kills };
}

describe('kills', function () {
  this.timeout(600_000);
  let folder: string;
  const seed = Number(process.env['KILL_SEED'] ?? Date.now() % 1_000_000);
  const say = (line: string): void => {
    process.stdout.write(`      ${line}\n`);
  };

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'geoflock-kills-'));
    say(`KILL_SEED=${String(seed)}`);
  });

  afterEach(killRunning);

  after(async () => {
    await killRunning();
    rmSync(folder, { recursive: true, force: true });
  });

  function generate(name: string, rows: number, files: number): string {
    const input = join(folder, name);
    execFileSync(process.execPath, [
      join(PROJECT, 'bin/geoflock.js'),
      ...['generate', input, String(rows), '--files', String(files), '--seed', '1', '--header', 'original'],
    ]);
    return input;
  }

  function stage(name: string, input: string, options: Partial<Stage> = {}): Stage {
    const made = { folder: join(folder, name), root: PROJECT, powerLoss: false, inTime: false, ...options };
    prepare(made, input);
    return made;
  }

  async function undisturbed(name: string, input: string, inTime = false): Promise<Truth> {
    const calm = stage(name, input, { inTime });
    const rows = await countRows(input);
    const ended = await run(calm);
    expect(ended.code, ended.stderr).to.equal(0);
    const { model, rows: told } = JSON.parse(ended.stdout) as OnceOutput;
    const { rejected } = told;
    expect(told).to.deep.equal({ read: rows, counted: rows - rejected, rejected });
    if (inTime) {
      // Some are late, some are before the window, and those that count do so by their age.
      expect(rejected).to.be.within(1, rows / 10);
      expect(model.time.rows).to.be.within(rows / 2, rows - rejected - 1);
      expect(model.weight).to.be.below(model.time.rows / 2);
      say(
        `${String(rejected)} rows are late, ${String(model.time.rows)} are in the window, weighing ${String(model.weight)}`,
      );
    } else {
      expect([rejected, model.weight]).to.deep.equal([0, rows]);
    }
    return {
      rows,
      rejected,
      weight: model.weight,
      files: readdirSync(input).length,
      model: modelBytes(calm),
    };
  }

  describe('of a run over 2,000,000 rows', () => {
    let input: string;

    before(() => {
      input = generate('large', ROWS_A_FILE, FILES);
    });

    for (const { inTime, powerLoss, what } of [
      { inTime: false, powerLoss: false, what: 'leave no trace' },
      {
        inTime: true,
        powerLoss: true,
        what: 'leave none with what was not flushed lost each time, and with panes, half-life, window and lateness',
      },
    ]) {
      it(what, async () => {
        const truth = await undisturbed(inTime ? 'large-calm-in-time' : 'large-calm', input, inTime);
        const random = seeded(seed + (powerLoss ? 1 : 0));
        const plan = Array.from({ length: FILES }, (_, file) => planFor(file, random)).flat();
        const { kills, problems } = await killAndFinish(
          stage(powerLoss ? 'power' : 'kill', input, { powerLoss, inTime }),
          plan,
          truth,
          say,
        );
        expect(problems).to.deep.equal([]);
        expect(kills.length).to.be.at.least(FILES * KILLS_A_FILE);
        for (const point of FAULT_POINTS) {
          expect(kills.filter(({ kill }) => kill.at === point).length, point).to.be.at.least(3);
        }
        const inside = kills.filter(({ counted, read }) => read > 0 && counted < truth.rows).length;
        say(`${String(inside)} of ${String(kills.length)} kills between the first and the last row`);
        expect(inside / kills.length).to.be.at.least(0.8);
      });
    }
  });

  describe('notice a program that', () => {
    let input: string;
    let truth: Truth;

    before(async () => {
      input = generate('small', 60_000, 2);
      truth = await undisturbed('small-calm', input);
    });

    const plan: readonly Kill[] = [
      { at: 'checkpoint', pass: 9 },
      { at: 'publish-transaction', pass: 5 },
    ];

    it('is right, and passes', async () => {
      const { problems } = await killAndFinish(stage('right', input), plan, truth, () => undefined);
      expect(problems).to.deep.equal([]);
    });

    for (const mutant of MUTANTS) {
      it(`is wrong: ${mutant.name}`, async () => {
        const root = makeMutant(mutant, join(folder, mutant.name.replaceAll(' ', '-')));
        const name = `case ${mutant.name}`.replaceAll(' ', '-');
        const { problems } = await killAndFinish(stage(name, input, { root }), plan, truth, () => undefined);
        expect(problems).to.not.deep.equal([]);
        say(problems.join('; ').slice(0, 160));
      });
    }
  });
});
