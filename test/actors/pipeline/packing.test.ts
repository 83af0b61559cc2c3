import { expect } from 'chai';
import fc from 'fast-check';
import { paneGrid } from '../../../src/clustering/panes.ts';
import { RegionSummary, type SummaryOptions } from '../../../src/clustering/region-summary.ts';
import { regionOf, regionToken } from '../../../src/geo/s2.ts';
import { fillUnitVectors } from '../../../src/geo/sphere.ts';
import type { Pipeline } from '../../../src/pipeline.ts';
import { partsOf } from '../../clustering/parts.ts';
import {
  append,
  drain,
  end,
  type ForeignRecord,
  onStage,
  rowLines,
  type Settings,
  summaries,
} from './support.ts';

const PARTITIONS = 2;
const LEVEL = 3;
/** Few, so that features are merged and trees rebuilt many times within a few hundred rows. */
const FEATURES = 12;
const LINES = rowLines(360, 7);
/** Some minutes a pane, and a quarter of an hour until they are all one: they are merged on the way too. */
const PANE_MS = 60_000;
const HISTORY_MS = 15 * 60_000;
const KEPT: SummaryOptions = { features: FEATURES, grid: paneGrid(PANE_MS, HISTORY_MS) };

const SETTINGS: Settings = {
  'topics.partitions': String(PARTITIONS),
  'regions.level': String(LEVEL),
  'regions.features': String(FEATURES),
  'regions.pane': '60s',
  'regions.history': '15m',
  'input.scanEvery': '1m',
  'partitions.fanOutIdle': '1ms',
  'connections.rows.bytes': '8KiB',
  'source.maxLineBytes': '128',
};

/** Rows of one partition, in order: every other line. */
function linesOf(partition: number): readonly string[] {
  return LINES.filter((_, row) => row % PARTITIONS === partition);
}

function positionsOf(lines: readonly string[]): {
  x: Float64Array;
  y: Float64Array;
  z: Float64Array;
  time: Float64Array;
} {
  const fields = lines.map((line) => line.split(','));
  const column = (at: number): Float64Array => Float64Array.from(fields, (row) => Number(row[at]));
  const [x, y, z] = [0, 0, 0].map(() => new Float64Array(lines.length));
  if (x === undefined || y === undefined || z === undefined) {
    throw new Error('no columns');
  }
  fillUnitVectors(column(5), column(6), x, y, z, 0, lines.length);
  return { x, y, z, time: Float64Array.from(fields, ([time]) => Date.parse(String(time))) };
}

/** What must come out: each region's rows folded one by one in their order, without any stage. */
function expectedSummaries(): Record<string, string> {
  const folded = new Map<string, RegionSummary>();
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const lines = linesOf(partition);
    const { x, y, z, time } = positionsOf(lines);
    for (let row = 0; row < lines.length; row++) {
      const region = regionOf(x[row] ?? NaN, y[row] ?? NaN, z[row] ?? NaN, LEVEL);
      const key = `${String(partition)} summary/${regionToken(region, LEVEL)}`;
      const summary = folded.get(key) ?? RegionSummary.empty(region, LEVEL, KEPT);
      summary.fold(x, y, z, time, row, row + 1);
      folded.set(key, summary);
    }
  }
  return Object.fromEntries(
    [...folded].flatMap(([key, summary]) =>
      [...partsOf(summary)].map(([part, bytes]) => [`${key}/${part}/0`, Buffer.from(bytes).toString('hex')]),
    ),
  );
}

/** What happens after a transaction. */
type After = 'nothing' | 'drain' | 'stop' | 'drain and stop';

interface Step {
  /** Rows of each message of the transaction. */
  readonly messages: readonly number[];
  readonly lineEnd: '\n' | '\r\n' | '\n\n';
  readonly lastLineEnd: boolean;
  readonly key: string | null;
  readonly after: After;
}

interface Packing {
  readonly steps: readonly Step[];
  readonly checkpointRows: number;
  readonly checkpointEveryMs: number;
  readonly fanOutRows: number;
  readonly creditRows: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  messages: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 }),
  lineEnd: fc.constantFrom('\n' as const, '\r\n' as const, '\n\n' as const),
  lastLineEnd: fc.boolean(),
  key: fc.constantFrom(null, '47', 'any'),
  after: fc.oneof(
    { weight: 6, arbitrary: fc.constant<After>('nothing') },
    { weight: 1, arbitrary: fc.constant<After>('drain') },
    { weight: 2, arbitrary: fc.constant<After>('stop') },
    { weight: 1, arbitrary: fc.constant<After>('drain and stop') },
  ),
});

const packing: fc.Arbitrary<Packing> = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 10 }),
  checkpointRows: fc.constantFrom(1, 2, 7, 50, 1_000_000),
  checkpointEveryMs: fc.constantFrom(10, 5_000),
  fanOutRows: fc.constantFrom(1, 3, 16, 1_000),
  creditRows: fc.constantFrom(1, 5, 64, 10_000),
});

/** The stream in messages, transaction by transaction; what the steps leave over comes row by row. */
function* transactions(
  steps: readonly Step[],
): Generator<{ records: readonly ForeignRecord[]; after: After }> {
  const sources = Array.from({ length: PARTITIONS }, (_, partition) => [...linesOf(partition)]);
  let at = 0;
  const message = ({ lineEnd, lastLineEnd, key }: Step, rows: number): ForeignRecord | undefined => {
    const partition = at++ % PARTITIONS;
    const lines = sources[partition]?.splice(0, rows) ?? [];
    return lines.length === 0
      ? undefined
      : { partition, key, value: lines.join(lineEnd) + (lastLineEnd ? lineEnd : '') };
  };
  for (const one of steps) {
    const records = one.messages.map((rows) => message(one, rows)).filter((record) => record !== undefined);
    yield { records, after: one.after };
  }
  const rest = sources.flatMap((lines, partition) => lines.map((value) => ({ partition, value })));
  yield { records: rest, after: 'nothing' };
}

describe('packing does not matter', () => {
  const expected = expectedSummaries();

  it('any messages, transactions, checkpoints and restarts give the bytes of the rows folded one by one', () =>
    fc.assert(
      fc.asyncProperty(packing, ({ steps, checkpointRows, checkpointEveryMs, fanOutRows, creditRows }) =>
        onStage(async (stage) => {
          const start = (): Promise<Pipeline> =>
            stage.start({
              ...SETTINGS,
              'checkpoint.rows': String(checkpointRows),
              'checkpoint.every': `${String(checkpointEveryMs)}ms`,
              'partitions.fanOutRows': String(fanOutRows),
              'connections.rows.rows': String(creditRows),
            });
          let pipeline = await start();
          for (const { records, after } of transactions(steps)) {
            if (records.length > 0) {
              await append(pipeline.broker, records);
            }
            if (after.startsWith('drain')) {
              await drain(pipeline);
            }
            if (after.endsWith('stop')) {
              await stage.stop(pipeline);
              pipeline = await start();
            }
          }
          expect(await end(pipeline)).to.equal(LINES.length);
          expect(await summaries(pipeline.broker, PARTITIONS)).to.deep.equal(expected);
          expect((await pipeline.totals()).rows).to.deep.equal({
            read: LINES.length,
            counted: LINES.length,
            rejected: 0,
          });
        }),
      ),
      { numRuns: 25, endOnFailure: true },
    )).timeout(300_000);
});
