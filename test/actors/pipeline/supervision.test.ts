import { expect } from 'chai';
import type { Committed } from '../../../src/broker/broker.ts';
import { BrokerFullError, FencedError, UnknownOutcomeError } from '../../../src/broker/errors.ts';
import type { Pipeline, PipelineOptions } from '../../../src/pipeline.ts';
import {
  type Attempt,
  asFile,
  drain,
  interceptCommits,
  onStage,
  RecordedLog,
  rowLines,
  type Settings,
  type Stage,
  summaries,
} from './support.ts';

/** About 30 publish transactions and 8 checkpoints. */
const ROWS = 400;
const SMALL_STEPS: Settings = {
  'source.maxLineBytes': '128',
  'publisher.transactionBytes': '1KiB',
  'checkpoint.rows': '50',
  'regions.features': '12',
  // So that a checkpoint has not many more, also when the partition comes late.
  'publisher.linesPerMessage': '1',
  'connections.rows.rows': '25',
};

type Failure = (attempt: Attempt) => Promise<Committed>;

async function leaveOut({ leaveOut: abort }: Attempt, error: Error): Promise<never> {
  await abort();
  throw error;
}

const FAILURES: readonly (readonly [string, Failure])[] = [
  ['is fenced', (attempt) => leaveOut(attempt, new FencedError('fenced by the test'))],
  ['has an unknown outcome: it failed', (attempt) => leaveOut(attempt, new UnknownOutcomeError('lost'))],
  [
    'has an unknown outcome: it took effect',
    async ({ commit }) => {
      await commit();
      throw new UnknownOutcomeError('the answer was lost');
    },
  ],
];

/** The stages that commit, and what shows that a commit is one of the work itself. */
const STAGES = [
  { name: 'publish transaction', writer: 'publisher-0', topic: 'mobile_data', actor: 'ingest/publisher' },
  { name: 'checkpoint', writer: 'partition-0', topic: 'geoflock.regions', actor: 'partitions/partition-0' },
] as const;

/** The `passes` (1-based) of a stage's commits go to `failure`. */
function failAt(
  { writer, topic }: (typeof STAGES)[number],
  passes: readonly number[],
  failure: Failure,
): NonNullable<PipelineOptions['intercept']> {
  let pass = 0;
  return (broker) =>
    interceptCommits(broker, (attempt) =>
      attempt.writer === writer && attempt.topics.has(topic) && passes.includes(++pass)
        ? failure(attempt)
        : attempt.commit(),
    );
}

function restartsOf(pipeline: Pipeline, path: string): number {
  return pipeline.actors().find((actor) => actor.path === path)?.restarts ?? Number.NaN;
}

/** Publishes one file; gives the summaries' bytes after checking that every row is counted once. */
async function countOnce(stage: Stage, pipeline: Pipeline): Promise<Record<string, string>> {
  await stage.write('a.csv', asFile(rowLines(ROWS)));
  expect(await drain(pipeline)).to.equal(ROWS);
  const lines = await stage.countLines();
  expect(await pipeline.totals()).to.deep.include({
    files: { done: 1, failed: 0 },
    rows: { read: lines, counted: lines, rejected: 0 },
  });
  return await summaries(pipeline.broker, 1);
}

describe('supervision in the pipeline', () => {
  let undisturbed: Record<string, string> = {};

  before(() =>
    onStage(async (stage) => {
      undisturbed = await countOnce(stage, await stage.start(SMALL_STEPS));
      expect(undisturbed).not.to.be.empty;
    }),
  );

  for (const committing of STAGES) {
    for (const [how, failure] of FAILURES) {
      it(`a ${committing.name} that ${how}: the stage restarts, counts and bytes are those of an undisturbed run`, () =>
        onStage(async (stage) => {
          const intercept = failAt(committing, [1, 4, 5], failure);
          const pipeline = await stage.start(SMALL_STEPS, { intercept });
          expect(await countOnce(stage, pipeline)).to.deep.equal(undisturbed);
          expect(restartsOf(pipeline, committing.actor)).to.equal(3);
        }));
    }

    it(`a ${committing.name} that finds no room: the stage pauses, says so, and goes on by itself`, () =>
      onStage(async (stage) => {
        const log = new RecordedLog();
        const full: Failure = (attempt) => leaveOut(attempt, new BrokerFullError('the disk is full'));
        const pipeline = await stage.start(SMALL_STEPS, { intercept: failAt(committing, [3, 4], full), log });
        expect(await countOnce(stage, pipeline)).to.deep.equal(undisturbed);
        const told = log.lines.filter(({ message }) => message.includes('room'));
        expect(told.map(({ level, message }) => `${level}: ${message}`)).to.deep.equal([
          'warn: no room: paused',
          'warn: no room: paused',
          'info: there is room again: going on',
        ]);
        expect(told[0]?.fields).to.include({ writer: committing.writer, problem: 'the disk is full' });
        expect(restartsOf(pipeline, committing.actor)).to.equal(0);
      }));
  }

  it('a checkpoint that took effect unheard still makes room in a full log', () =>
    onStage(async (stage) => {
      const tookEffect = FAILURES[2]?.[1] ?? expect.fail('no such failure');
      // The first checkpoint holds all of the full log, and nothing more comes before there is room.
      const pipeline = await stage.start(
        {
          ...SMALL_STEPS,
          'checkpoint.rows': '1000000',
          'checkpoint.every': '100ms',
          'connections.log.bytes': '8KiB',
        },
        { intercept: failAt(STAGES[1], [1], tookEffect) },
      );
      expect(await countOnce(stage, pipeline)).to.deep.equal(undisturbed);
    }));

  for (const committing of STAGES) {
    it(`a ${committing.name} that never succeeds ends the system as failed; the next start counts all`, () =>
      onStage(async (stage) => {
        const failing = failAt(committing, [...Array(20).keys()], (attempt) =>
          leaveOut(attempt, new FencedError('fenced for ever')),
        );
        const broken = await stage.start(
          { ...SMALL_STEPS, 'supervision.restarts': '3' },
          { intercept: failing },
        );
        await stage.write('a.csv', asFile(rowLines(ROWS)));
        const exit = await broken.terminated;
        expect(exit.kind === 'failed' ? exit.error : undefined).to.be.instanceOf(FencedError);
        await stage.stop(broken);

        const pipeline = await stage.start(SMALL_STEPS);
        expect(await drain(pipeline)).to.equal(ROWS);
        expect(await summaries(pipeline.broker, 1)).to.deep.equal(undisturbed);
      }));
  }
});
