/**
 * How good the clusters are: the cost of what the program exports, over that of scikit-learn's
 * `KMeans(n_init=10)` on the same rows, and whether the certified bound holds. `docs/QUALITY.md` explains
 * what is measured; `npm run bench:quality -- --help` the options. The exit code is 1 when a target is missed,
 * 2 when nothing could be measured.
 */
import { parseArgs } from 'node:util';
import { type Measured, ratioOf } from './judge.ts';
import { FORMS, measure } from './measure.ts';
import { computeReference, hasScikitLearn, type Reference, ReferenceTable } from './reference.ts';
import { report, type Result } from './report.ts';
import { type Scenario, SCENARIOS } from './scenarios.ts';
import { sparkRuleCost } from './spark-rule.ts';
import { type Rows, streamOf } from './stream.ts';

const HELP = `npm run bench:quality -- [options]

  --scenario NAME  one of ${SCENARIOS.map(({ name }) => name).join(', ')}; can be repeated. Default: all
  --seeds N        streams of each scenario. Default: 5
  --long           20 of each
  --rows N         rows of a stream. Default: 1000000
  --python PATH    a Python with scikit-learn, for the reference. Default: python3. Where it has no
                   scikit-learn, the committed costs of the reference are used
  --table          use the committed costs in any case
  --record         write the computed costs of the reference into the committed table
`;

const { values } = parseArgs({
  options: {
    scenario: { type: 'string', multiple: true },
    seeds: { type: 'string' },
    long: { type: 'boolean', default: false },
    rows: { type: 'string', default: '1000000' },
    python: { type: 'string', default: 'python3' },
    table: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  process.stdout.write(HELP);
} else {
  try {
    process.exitCode = (await main()) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 2;
  }
}

/** @returns whether all targets are met. */
async function main(): Promise<boolean> {
  const seeds = wholeNumber('--seeds', values.seeds ?? (values.long ? '20' : '5'));
  const count = wholeNumber('--rows', values.rows);
  const scenarios = (values.scenario ?? SCENARIOS.map(({ name }) => name)).map(scenarioNamed);
  const reference = referenceSource();
  const results: Result[] = [];
  for (const scenario of scenarios) {
    const measured: { forms: readonly Measured[]; others: readonly number[] }[] = [];
    for (let seed = 1; seed <= seeds; seed++) {
      const rows = streamOf(scenario, seed, count);
      measured.push(measureStream(scenario, seed, rows, await reference(scenario, seed, rows)));
      process.stderr.write(`${scenario.name}: ${String(seed)} of ${String(seeds)} streams\n`);
    }
    results.push({
      scenario,
      forms: FORMS.map((_, form) => measured.map(({ forms }) => forms[form] as Measured)),
      others: measured.map(({ others }) => others),
    });
  }
  const { lines, passed } = report(results);
  lines.forEach(say);
  return passed;
}

function wholeNumber(option: string, written: string): number {
  if (!/^[1-9]\d{0,8}$/.test(written)) {
    throw new Error(`${option}: expected a whole number from 1, not ${written}`);
  }
  return Number(written);
}

function scenarioNamed(name: string): Scenario {
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario === undefined) {
    throw new Error(
      `--scenario: expected one of ${SCENARIOS.map((one) => one.name).join(', ')}, not ${name}`,
    );
  }
  return scenario;
}

type ReferenceSource = (scenario: Scenario, seed: number, rows: Rows) => Promise<Reference>;

/** Says which it is. */
function referenceSource(): ReferenceSource {
  const table = ReferenceTable.read();
  const keyOf = ({ k, name }: Scenario, seed: number) => ({ scenario: name, seed, k });
  if (!values.table && hasScikitLearn(values.python)) {
    say(`The reference is computed by scikit-learn now (${values.python}).`);
    return async (scenario, seed, rows) => {
      const key = keyOf(scenario, seed);
      const reference = await computeReference(values.python, key, rows);
      if (values.record) {
        table.record(key, rows, reference);
      }
      return reference;
    };
  }
  const why = values.table ? 'as asked for' : `${values.python} has no scikit-learn`;
  say(`The reference's costs are the committed ones of bench/quality/reference-costs.json: ${why}.`);
  return (scenario, seed, rows) => {
    const found = table.find(keyOf(scenario, seed), rows);
    if (found === undefined) {
      const stream = `${scenario.name}, seed ${String(seed)}, ${String(rows.count)} rows`;
      throw new Error(`no committed cost of ${stream}: give a Python with scikit-learn (--python)`);
    }
    return Promise.resolve(found);
  };
}

function measureStream(
  { k }: Scenario,
  seed: number,
  rows: Rows,
  { kMeans, miniBatch }: Reference,
): { forms: readonly Measured[]; others: readonly number[] } {
  const ratio = (cost: number): number => ratioOf({ cost, reference: kMeans, rows: rows.count });
  return {
    forms: FORMS.map((form) => measure(rows, form, k, seed, kMeans)),
    others: [
      ratio(sparkRuleCost(rows, k, seed, 'random')),
      ratio(sparkRuleCost(rows, k, seed, 'best-case')),
      ratio(miniBatch),
    ],
  };
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
