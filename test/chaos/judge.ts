/** What is to be true after the chaos, whatever was killed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TopicSettings } from '../../src/actors/topics.ts';
import { within } from '../support/within.ts';
import { Observer } from './observer.ts';
import type { ReplicaOptions } from './replica.ts';
import { type Lines, linesOfTopic } from './truth.ts';

/** For all lines of the topic, by a consumer of its own. */
export const LINES_WITHIN_MS = 120_000;

export interface Evidence {
  readonly brokers: readonly string[];
  readonly folder: string;
  readonly topics: TopicSettings;
  /** Lines of the files, and how many files they were in. */
  readonly truth: Lines;
  readonly files: number;
  /** Sees what the group under chaos has committed. */
  readonly observer: Observer;
  /** Runs `geoflock run --once --json`. @returns its standard output, empty when it failed */
  readonly runOnce: (options: Partial<ReplicaOptions>) => Promise<string>;
}

export interface Judgement {
  readonly problems: readonly string[];
  /** In one line, how much was compared. */
  readonly compared: string;
}

interface OnceOutput {
  readonly files: { readonly done: number; readonly failed: number };
  readonly rows: { readonly read: number; readonly counted: number; readonly rejected: number };
  readonly model: { readonly weight: number };
}

export async function judge(evidence: Evidence): Promise<Judgement> {
  const { brokers, files, folder, observer, runOnce, topics, truth } = evidence;
  const problems: string[] = [];
  const first = outputOf(await runOnce({ report: 'report-last' }));
  // Counts the same topic from its beginning, undisturbed; there are no files for it.
  const second = outputOf(
    await runOnce({ report: 'report-second', config: 'config-second', input: 'empty' }),
  );
  const topic = `${topics.prefix}${topics.rows}`;
  const lines = await within(
    LINES_WITHIN_MS,
    `a consumer of ${topic}`,
    linesOfTopic(brokers, topic, topics.partitions),
  );
  const { missing, surplus } = lines.compare(truth);
  for (const [what, is, should] of [
    ['lines of the topic', lines.count, truth.count],
    ['lines that are missing', missing, 0],
    ['lines too many', surplus, 0],
    ['rows read', first?.rows.read, truth.count],
    ['rows counted or late', settled(first), truth.count],
    ['files done', first?.files.done, files],
    ['rows the second group counted or found late', settled(second), truth.count],
    ['rows late', first?.rows.rejected, second?.rows.rejected],
    ['weight', first?.model.weight, second?.model.weight],
  ] as const) {
    if (is !== should) {
      problems.push(`${what}: ${String(is)}, should be ${String(should)}`);
    }
  }
  const model = (report: string): string => readFileSync(join(folder, report, 'model.json'), 'latin1');
  if (first !== undefined && second !== undefined && model('report-last') !== model('report-second')) {
    problems.push('model.json is not that of an undisturbed group');
  }
  const entries = await compareSummaries(evidence, observer, problems);
  const late = String(first?.rows.rejected ?? 0);
  return {
    problems,
    compared: `${String(lines.count)} lines, of them ${late} late, ${String(entries)} summary entries compared`,
  };
}

/** @returns how many entries the undisturbed group has. */
async function compareSummaries(
  { brokers, topics }: Evidence,
  observer: Observer,
  problems: string[],
): Promise<number> {
  const other = await Observer.open(brokers, { ...topics, group: 'second' });
  try {
    const ours = await observer.summaries();
    const theirs = await other.summaries();
    const different = [...theirs].filter(([key, bytes]) => ours.get(key) !== bytes).length;
    if (different > 0 || ours.size !== theirs.size || theirs.size === 0) {
      problems.push(
        `region summaries: ${String(different)} of ${String(theirs.size)} are not those of an undisturbed ` +
          `group, which the first has ${String(ours.size)} of`,
      );
    }
    return theirs.size;
  } finally {
    await other.close();
  }
}

/** Rows that a group has judged. */
function settled(output: OnceOutput | undefined): number | undefined {
  return output === undefined ? undefined : output.rows.counted + output.rows.rejected;
}

function outputOf(stdout: string): OnceOutput | undefined {
  return stdout === '' ? undefined : (JSON.parse(stdout) as OnceOutput);
}
