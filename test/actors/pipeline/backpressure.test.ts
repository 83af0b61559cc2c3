import { expect } from 'chai';
import { allocateGroupedRows, ROW_BYTES } from '../../../src/actors/partition/row-buffer.ts';
import type { Pipeline } from '../../../src/pipeline.ts';
import {
  append,
  asFile,
  drain,
  onStage,
  regionConnections,
  rowLines,
  type Settings,
  sleep,
  type Stage,
  until,
} from './support.ts';

const ROWS = 3_000;
const SMALL_LINES: Settings = { 'source.maxLineBytes': '128' };
/** Long enough for dozens of looks, reads and idle fan-outs. */
const WHILE_MS = 250;

/** A pipeline whose region stage is stopped before the first row comes. */
async function startStopped(stage: Stage, settings: Settings): Promise<Pipeline> {
  const pipeline = await stage.start({ ...SMALL_LINES, ...settings });
  for (const connection of await regionConnections(pipeline)) {
    connection.pause();
  }
  return pipeline;
}

async function goOn(pipeline: Pipeline): Promise<void> {
  for (const connection of await regionConnections(pipeline)) {
    connection.resume();
  }
}

function rowsInFlight(pipeline: Pipeline): number {
  return pipeline.topology.stats.partitions.reduce((rows, { rowsRead }) => rows + rowsRead, 0);
}

/** What is in flight is `rows`, stays so, and is told the same by rows, bytes and budget. */
async function expectExactly(pipeline: Pipeline, rows: number): Promise<void> {
  const [connection] = await regionConnections(pipeline);
  // It asks for more only when it has read on: the last row is in flight a moment before that.
  await until(
    `${String(rows)} rows in flight, and the partition waiting`,
    () => rowsInFlight(pipeline) >= rows && connection?.waiting === 1,
  );
  for (const waitMs of [0, WHILE_MS]) {
    await sleep(waitMs);
    expect(connection?.depth).to.deep.equal({ rows, bytes: rows * ROW_BYTES });
    expect(rowsInFlight(pipeline), 'rows taken out of the log').to.equal(rows);
    expect(connection?.waiting, 'the partition waits for credit').to.equal(1);
  }
}

describe('backpressure', () => {
  it('the cost of a row is what its buffers take', () => {
    const group = allocateGroupedRows(1);
    const grouped = Object.values(group as unknown as Record<string, Float64Array>).reduce(
      (bytes, column) => bytes + column.byteLength,
      0,
    );
    // The same once more with the region's index before the rows are grouped.
    expect(ROW_BYTES).to.equal(2 * grouped + Uint32Array.BYTES_PER_ELEMENT);
  });

  const files: readonly (readonly [string, Settings, number])[] = [
    ['rows', { 'connections.rows.rows': '700' }, 700],
    ['one row', { 'connections.rows.rows': '1' }, 1],
    ['bytes', { 'connections.rows.bytes': String(650 * ROW_BYTES) }, 650],
    ['bytes that are no multiple of a row', { 'connections.rows.bytes': String(651 * ROW_BYTES - 1) }, 650],
  ];
  for (const [limit, settings, rows] of files) {
    it(`with the limit on ${limit}, exactly ${String(rows)} rows are in flight below the log`, () =>
      onStage(async (stage) => {
        const pipeline = await startStopped(stage, settings);
        await stage.write('a.csv', asFile(rowLines(ROWS)));
        await expectExactly(pipeline, rows);

        await goOn(pipeline);
        expect(await drain(pipeline)).to.equal(ROWS);
        const lines = await stage.countLines();
        expect((await pipeline.totals()).rows).to.deep.equal({ read: lines, counted: lines, rejected: 0 });
        const [connection] = await regionConnections(pipeline);
        expect(connection?.depth).to.deep.equal({ rows: 0, bytes: 0 });
      }));
  }

  for (const [what, budget] of [
    ['', 720 * ROW_BYTES],
    [' that is no multiple of a row', 721 * ROW_BYTES - 1],
  ] as const) {
    // Rows from elsewhere: no file's transaction takes a part of the budget.
    it(`with a global budget${what}, exactly 720 rows are in flight below the log`, () =>
      onStage(async (stage) => {
        const pipeline = await startStopped(stage, { 'memory.budget': String(budget) });
        await append(pipeline.broker, [{ value: rowLines(ROWS).join('\n') }]);
        await expectExactly(pipeline, 720);
        expect(pipeline.topology.budget.used).to.equal(720 * ROW_BYTES);

        await goOn(pipeline);
        expect(await drain(pipeline)).to.equal(ROWS);
        expect((await pipeline.totals()).rows).to.deep.equal({ read: ROWS, counted: ROWS, rejected: 0 });
      }));
  }

  it('one budget binds all partitions together, and leaves each its share', () =>
    onStage(async (stage) => {
      const budget = 1_600 * ROW_BYTES;
      const pipeline = await startStopped(stage, {
        'memory.budget': String(budget),
        'topics.partitions': '2',
      });
      const value = rowLines(ROWS).join('\n');
      await append(pipeline.broker, [
        { value, partition: 0 },
        { value, partition: 1 },
      ]);
      const connections = await regionConnections(pipeline);
      await until('both wait for credit', () => connections.every(({ waiting }) => waiting === 1));
      await sleep(WHILE_MS);
      expect(connections.map(({ depth }) => depth.rows).sort((a, b) => a - b)).to.deep.equal([200, 1_400]);
      expect(rowsInFlight(pipeline)).to.equal(1_600);
      expect(pipeline.topology.budget.used).to.equal(budget);

      await goOn(pipeline);
      expect(await drain(pipeline)).to.equal(2 * ROWS);
    }));

  it('with the log at its limit reading of files stops, memory is flat, and nothing is lost', () =>
    onStage(async (stage) => {
      const limit = 256 * 1024;
      const total = 4 * 6_000;
      const pipeline = await startStopped(stage, {
        'connections.rows.rows': '500',
        'connections.log.bytes': String(limit),
        'connections.files.rows': '2',
        'checkpoint.every': '20ms',
      });
      const { stats, connections } = pipeline.topology;
      for (const [file, name] of ['a.csv', 'b.csv', 'c.csv', 'd.csv'].entries()) {
        await stage.write(name, asFile(rowLines(total / 4, file)));
      }
      await until('the publisher waits', () => {
        const { bytes } = pipeline.broker.unconsumed('mobile_data');
        return (
          bytes > limit / 2 &&
          connections.get('files')?.waiting === 1 &&
          stats.publisher.logIsFull &&
          rowsInFlight(pipeline) === 500
        );
      });
      await sleep(WHILE_MS);
      const before = { ...stats.publisher };
      const memory = process.memoryUsage();
      await sleep(3 * WHILE_MS);

      expect(stats.publisher).to.deep.equal(before);
      expect(stats.publisher.rowsRead).to.be.within(1_000, total / 4);
      expect(pipeline.broker.unconsumed('mobile_data').bytes).to.be.within(limit / 2, limit);
      expect(rowsInFlight(pipeline)).to.equal(500);
      expect(connections.get('files')?.depth.rows, 'found files').to.equal(2);
      const { rss, external } = process.memoryUsage();
      expect(rss - memory.rss, 'growth of the process').to.be.below(16 * 2 ** 20);
      expect(external - memory.external, 'growth of buffers').to.be.below(2 ** 20);

      // While it goes on, the log never grows beyond its limit.
      let most = 0;
      const watch = setInterval(() => {
        most = Math.max(most, pipeline.broker.unconsumed('mobile_data').bytes);
      }, 1);
      await goOn(pipeline);
      const weight = await drain(pipeline).finally(() => {
        clearInterval(watch);
      });
      expect(weight).to.equal(total);
      expect(most).to.be.at.most(limit);
      const lines = await stage.countLines();
      expect((await pipeline.totals()).rows).to.deep.equal({ read: lines, counted: lines, rejected: 0 });
    }));

  it('a checkpoint waits for rows on their way: ended with the region stage stopped, nothing is lost', () =>
    onStage(async (stage) => {
      const settings: Settings = { ...SMALL_LINES, 'checkpoint.every': '10ms' };
      let pipeline = await startStopped(stage, settings);
      await append(
        pipeline.broker,
        rowLines(100).map((value) => ({ value })),
      );
      await until('all rows are in flight', () => rowsInFlight(pipeline) === 100);
      await sleep(WHILE_MS);
      expect(pipeline.topology.stats.partitions[0]?.checkpoints).to.equal(0);
      expect((await pipeline.totals()).rows.counted).to.equal(0);
      await stage.stop(pipeline);

      pipeline = await stage.start(settings);
      expect(await drain(pipeline)).to.equal(100);
    }));

  it('the least budget and a tiny log are slow, but stand still nowhere', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start({
        ...SMALL_LINES,
        'memory.budget': '64KiB',
        'connections.log.bytes': '8KiB',
        'topics.partitions': '4',
        'checkpoint.every': '10ms',
        'partitions.fanOutIdle': '1ms',
      });
      const files = 60;
      // Paths of nearly 1,000 bytes: all found files together would take the whole budget.
      const folder = `${'long'.repeat(60)}/`.repeat(4);
      const rows = 2;
      for (let file = 0; file < files; file++) {
        await stage.write(`${folder}${String(file)}.csv`, asFile(rowLines(rows, file)));
      }
      // A file larger than log and budget, behind names that would fill the budget.
      await stage.write('z.csv', asFile(rowLines(1_500)));
      const total = files * rows + 1_500;
      expect(await drain(pipeline)).to.equal(total);
      expect((await pipeline.totals()).rows).to.deep.equal({ read: total, counted: total, rejected: 0 });
    }));

  it('a log limit that no transaction fits lets one through at a time', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start({
        ...SMALL_LINES,
        'connections.log.bytes': '128',
        'checkpoint.every': '10ms',
      });
      await stage.write('a.csv', asFile(rowLines(40)));
      expect(await drain(pipeline)).to.equal(40);
      expect(pipeline.topology.stats.publisher.transactions).to.be.at.least(20);
    }));
});
