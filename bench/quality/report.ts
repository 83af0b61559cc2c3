import { isInside, judge, mean, type Measured, ratioOf, type Series, widthOf } from './judge.ts';
import { FORMS } from './measure.ts';
import type { Scenario } from './scenarios.ts';

/** A scenario's streams; of each, ratios of other algorithms' costs to the reference's. */
export interface Result {
  readonly scenario: Scenario;
  readonly forms: readonly (readonly Measured[])[];
  readonly others: readonly (readonly number[])[];
}

/** The table, in Markdown, and a line for each target. */
export function report(results: readonly Result[]): {
  readonly lines: readonly string[];
  readonly passed: boolean;
} {
  const series: Series[] = results.flatMap(({ forms, scenario }) =>
    forms.map((streams, form) => ({ name: `${scenario.name} ${FORMS[form]?.name ?? ''}`, streams })),
  );
  const verdicts = judge(series);
  const lines = verdicts.map(({ missedBy, target }) =>
    missedBy.length === 0 ? `passed  ${target}` : `MISSED  ${target}: ${missedBy.join(', ')}`,
  );
  const passed = verdicts.every(({ missedBy }) => missedBy.length === 0);
  return { lines: ['', ...table(results), '', ...lines], passed };
}

const HEADINGS = [
  ['scenario', 'event times', 'streams', 'mean ratio', 'worst ratio', 'widest bound', 'inside'],
  ['Spark, random starts', 'Spark, best-case starts', 'MiniBatchKMeans'],
].flat();

function table(results: readonly Result[]): readonly string[] {
  const lines = results.flatMap(({ forms, others, scenario }) =>
    forms.map((streams, form) => [
      scenario.name,
      FORMS[form]?.name ?? '',
      String(streams.length),
      mean(streams.map(ratioOf)).toFixed(4),
      Math.max(...streams.map(ratioOf)).toFixed(4),
      `${(100 * Math.max(...streams.map(widthOf))).toFixed(2)} %`,
      streams.every(isInside) ? 'yes' : 'no',
      ...[0, 1, 2].map((other) => {
        const ratios = others.map((of) => of[other] as number);
        return `${brief(mean(ratios))} (${brief(Math.max(...ratios))})`;
      }),
    ]),
  );
  const all = [HEADINGS, ...lines];
  const widths = HEADINGS.map((_, column) => Math.max(...all.map((line) => (line[column] as string).length)));
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] as number)).join(' | ')} |`;
  return [row(HEADINGS), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...lines.map(row)];
}

/** Where the reference's cost is about 0 and another's is not, their ratio has no meaning. */
const brief = (ratio: number): string => (ratio < 1e6 ? ratio.toFixed(3) : 'not 0');
