import { expect } from 'chai';
import { fileAccounts } from '../../../src/actors/ingest/file-accounts.ts';
import { redrive, type RedriveOutcome, type RedrivePorts } from '../../../src/actors/rejected/redrive.ts';
import {
  ledgerByFileId,
  type ListedRow,
  type RejectedFilter,
  rejectedRows,
} from '../../../src/actors/rejected/rejected-rows.ts';
import type { Committed } from '../../../src/broker/broker.ts';
import { UnknownOutcomeError } from '../../../src/broker/errors.ts';
import type { Pipeline } from '../../../src/pipeline.ts';
import { systemClock } from '../../../src/system/clock.ts';
import {
  append,
  asFile,
  type Attempt,
  drain,
  failingFold,
  interceptCommits,
  onStage,
  rowLines,
  sleep,
  timeOfRow,
} from './support.ts';

const LINES = rowLines(30);
const HOUR = 3_600_000;
const NEVER = new AbortController().signal;

function portsOf(
  pipeline: Pipeline,
  headers: Awaited<ReturnType<typeof ledgerByFileId>>,
  settings: Partial<RedrivePorts['settings']> = {},
): RedrivePorts {
  return {
    ...stateOf(pipeline),
    random: Math.random,
    settings: {
      columns: {},
      utcOffsetMinutes: 0,
      maxLineBytes: 65_536,
      maxFutureMs: HOUR,
      level: 3,
      ...settings,
    },
    headerOf: (id) => headers.get(id)?.header,
  };
}

function stateOf({
  broker,
  topology,
}: Pipeline): Pick<RedrivePorts, 'broker' | 'topics' | 'partitions' | 'clock'> {
  return {
    broker,
    topics: topology.topics,
    partitions: topology.stats.partitions.length,
    clock: systemClock,
  };
}

async function listed(pipeline: Pipeline, filter: RejectedFilter = {}): Promise<readonly ListedRow[]> {
  const rows: ListedRow[] = [];
  for await (const row of rejectedRows(stateOf(pipeline), filter, NEVER)) {
    rows.push(row);
  }
  return rows;
}

async function redriveAll(
  pipeline: Pipeline,
  settings: Partial<RedrivePorts['settings']> = {},
  replacement?: string,
): Promise<readonly RedriveOutcome['kind'][]> {
  const ports = portsOf(pipeline, await ledgerByFileId(stateOf(pipeline)), settings);
  const rows = (await listed(pipeline)).filter((one) => !one.redriven).map(({ row }) => row);
  return (await redrive(ports, rows, replacement)).map(({ kind }) => kind);
}

async function booksOf(pipeline: Pipeline): Promise<object> {
  const { rejectedByReason, rows } = await pipeline.totals();
  const files = (await fileAccounts(stateOf(pipeline))).map(({ accepted, entry, rejected }) => [
    entry.path,
    entry.read,
    accepted,
    rejected,
  ]);
  return { rows, rejectedByReason, files };
}

/** A row of the future, beside good ones. */
const AHEAD = LINES.map((line, at) => (at === 7 ? line.replace(/^[^,]*/, '2999-01-01 00:00:00.000') : line));

describe('redrive', () => {
  it('moves a row of a file from rejected to counted, in the totals and for its file', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start();
      await stage.write('a.csv', asFile(AHEAD));
      await stage.write('b.csv', asFile([...LINES, 'bad']));
      await drain(pipeline);
      expect(await booksOf(pipeline)).to.deep.equal({
        rows: { read: 61, counted: 59, rejected: 2 },
        rejectedByReason: { future: 1, 'column-count': 1 },
        files: [
          ['a.csv', 30, 29, 1],
          ['b.csv', 31, 30, 1],
        ],
      });
      expect(await redriveAll(pipeline)).to.deep.equal(['rejected', 'rejected']);
      expect(await redriveAll(pipeline, { maxFutureMs: 1_000 * 365 * 24 * HOUR })).to.deep.equal([
        'redriven',
        'rejected',
      ]);
      expect(await drain(pipeline)).to.equal(60);
      expect(await booksOf(pipeline)).to.deep.equal({
        rows: { read: 61, counted: 60, rejected: 1 },
        rejectedByReason: { 'column-count': 1 },
        files: [
          ['a.csv', 30, 30, 0],
          ['b.csv', 31, 30, 1],
        ],
      });
      expect((await listed(pipeline)).map(({ redriven, row }) => [row.reason, redriven])).to.deep.equal([
        ['future', true],
        ['column-count', false],
      ]);
    }));

  it('takes a row of another producer to the partition that rejected it', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start({ 'topics.partitions': '3' });
      await append(pipeline.broker, [
        { value: LINES[0] ?? '', partition: 2, timestamp: timeOfRow(0) - 2 * HOUR },
        { value: `${String(LINES[1])}\nnonsense`, partition: 1 },
      ]);
      expect(await drain(pipeline)).to.equal(1);
      expect((await pipeline.totals()).rows).to.deep.equal({ read: 3, counted: 1, rejected: 2 });
      // By now its time is not ahead of anything.
      expect(await redriveAll(pipeline)).to.have.members(['redriven', 'rejected']);
      expect(await drain(pipeline)).to.equal(2);
      expect(await pipeline.totals()).to.deep.include({
        rows: { read: 3, counted: 2, rejected: 1 },
        rejectedByReason: { 'column-count': 1 },
      });
      expect((await pipeline.broker.offsets('mobile_data', 2)).end).to.equal(2);
    }));

  it('sends another line in the place of a row that cannot be read', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start();
      await stage.write('a.csv', asFile([...LINES, 'bad']));
      await drain(pipeline);
      expect(await redriveAll(pipeline, {}, 'as bad')).to.deep.equal(['rejected']);
      expect(await redriveAll(pipeline, {}, LINES[3])).to.deep.equal(['redriven']);
      expect(await drain(pipeline)).to.equal(31);
      expect((await pipeline.totals()).rows).to.deep.equal({ read: 31, counted: 31, rejected: 0 });
    }));

  it('of a poison row that the next version can fold; one that it cannot is rejected anew', () =>
    onStage(async (stage) => {
      const [poison, other] = [timeOfRow(4), timeOfRow(9)];
      const first = await stage.start({}, { fold: failingFold([poison, other]) });
      await stage.write('a.csv', asFile(LINES));
      expect(await drain(first)).to.equal(28);
      await stage.stop(first);
      const second = await stage.start({}, { fold: failingFold([other]) });
      expect(await redriveAll(second)).to.deep.equal(['redriven', 'redriven']);
      expect(await drain(second)).to.equal(29);
      expect(await booksOf(second)).to.deep.equal({
        rows: { read: 30, counted: 29, rejected: 1 },
        rejectedByReason: { poison: 1 },
        files: [['a.csv', 30, 29, 1]],
      });
      const again = (await listed(second)).filter(({ redriven }) => !redriven).map(({ row }) => row);
      expect(again.map(({ file, id, record }) => [id, file?.line, record?.line])).to.deep.equal([
        [`mobile_data-0-${String(again[0]?.record?.offset)}-0`, 10, 0],
      ]);
      await stage.stop(second);
      const third = await stage.start();
      expect(await redriveAll(third)).to.deep.equal(['redriven']);
      expect(await drain(third)).to.equal(30);
      expect((await third.totals()).rows).to.deep.equal({ read: 30, counted: 30, rejected: 0 });
    }));

  it('by several at once counts each row once, and each is told what became of it', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start();
      await stage.write('a.csv', asFile(AHEAD));
      await drain(pipeline);
      const settings = { maxFutureMs: 1_000 * 365 * 24 * HOUR };
      const ports = portsOf(pipeline, await ledgerByFileId(stateOf(pipeline)), settings);
      const rows = (await listed(pipeline)).map(({ row }) => row);
      // They have all read the list before the first has written.
      const outcomes = await Promise.all([1, 2, 3, 4].map(() => redrive(ports, rows)));
      expect(outcomes.flat().map(({ kind }) => kind)).to.have.members([
        'redriven',
        'already',
        'already',
        'already',
      ]);
      // The same row twice in one call is one row too.
      expect((await redrive(ports, [...rows, ...rows])).map(({ kind }) => kind)).to.deep.equal([
        'already',
        'already',
      ]);
      expect(await drain(pipeline)).to.equal(30);
      expect((await pipeline.totals()).rows).to.deep.equal({ read: 30, counted: 30, rejected: 0 });
    }));

  for (const [what, took] of [
    ['took effect', true],
    ['did not take effect', false],
  ] as const) {
    it(`counts a row once though nobody told that its commit ${what}`, () =>
      onStage(async (stage) => {
        const pipeline = await stage.start();
        await stage.write('a.csv', asFile(AHEAD));
        await drain(pipeline);
        let lost = 0;
        const unsure = async ({ commit, leaveOut, writer }: Attempt): Promise<Committed> => {
          if (writer !== 'redrive-0' || lost > 0) {
            return await commit();
          }
          lost++;
          await (took ? commit() : leaveOut());
          throw new UnknownOutcomeError('the answer was lost');
        };
        const ports = portsOf(pipeline, await ledgerByFileId(stateOf(pipeline)), {
          maxFutureMs: 1_000 * 365 * 24 * HOUR,
        });
        const rows = (await listed(pipeline)).map(({ row }) => row);
        const outcomes = await redrive({ ...ports, broker: interceptCommits(pipeline.broker, unsure) }, rows);
        expect([lost, outcomes]).to.deep.equal([1, [{ kind: 'redriven' }]]);
        expect(await drain(pipeline)).to.equal(30);
        expect((await pipeline.totals()).rows).to.deep.equal({ read: 30, counted: 30, rejected: 0 });
      }));
  }

  it('lists by reason, by file, whatever became of it, and by id; each row once', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start();
      await stage.write('sub/a.csv', asFile([...AHEAD, 'bad']));
      await drain(pipeline);
      await append(pipeline.broker, [{ value: 'nonsense' }]);
      await drain(pipeline);
      await sleep(2);
      await stage.write('sub/a.csv', asFile([...LINES, 'worse']));
      await drain(pipeline);
      const reasons = async (filter: RejectedFilter): Promise<readonly string[]> =>
        (await listed(pipeline, filter)).map(({ row }) => row.reason);
      const all = await reasons({});
      expect(all).to.deep.equal(['future', 'column-count', 'column-count', 'column-count']);
      expect(await reasons({ reason: 'future' })).to.deep.equal(['future']);
      expect(await reasons({ file: 'sub/a.csv' })).to.deep.equal(['future', 'column-count', 'column-count']);
      const [first, , foreign] = await listed(pipeline);
      expect(await reasons({ file: first?.row.file?.id ?? '' })).to.deep.equal(['future', 'column-count']);
      expect(await reasons({ ids: new Set([foreign?.row.id ?? '']) })).to.deep.equal(['column-count']);
      expect(await reasons({ ids: new Set(['none']) })).to.deep.equal([]);
    }));
});
