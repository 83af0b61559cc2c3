/**
 * Rows a second of the generator, by shape, without the writing of files: the best of several rounds by the
 * clock, and the CPU time of all, which a busy machine disturbs less. The cities must never be slower than a
 * tenth of the uniform shape; exit code 1 where they are.
 */
import { performance } from 'node:perf_hooks';
import { rowMaker, type ShapeOptions } from '../src/generator/shapes.ts';
import { systemClock } from '../src/system/clock.ts';

const ROWS = 200_000;
const ROWS_PER_SLICE = 2_048;
const ROUNDS = 8;
const LEAST_SHARE = 0.1;

interface Form {
  readonly name: string;
  readonly options: ShapeOptions;
  readonly spanMs: number;
}

const cities = { shape: 'cities', header: 'true' } as const;
const forms: readonly Form[] = [
  { name: 'uniform', options: { shape: 'uniform', header: 'true' }, spanMs: 10_000 },
  { name: 'cities', options: cities, spanMs: 10_000 },
  { name: 'cities, a day in a file', options: cities, spanMs: 86_400_000 },
  { name: 'cities, 1 % broken', options: { ...cities, bad: 0.01 }, spanMs: 10_000 },
];

let uniform = 0;
for (const { name, options, spanMs } of forms) {
  const maker = await rowMaker(options, '1', systemClock);
  const buffer = Buffer.allocUnsafe(maker.bytesOf(ROWS_PER_SLICE));
  let best = Number.POSITIVE_INFINITY;
  const cpu = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round++) {
    const write = maker.file(round, { startMs: Date.UTC(2026, 0, 1) + round * spanMs, spanMs, rows: ROWS });
    const began = performance.now();
    for (let row = 0; row < ROWS; row += ROWS_PER_SLICE) {
      write(buffer, row, Math.min(ROWS_PER_SLICE, ROWS - row));
    }
    best = Math.min(best, performance.now() - began);
  }
  const cpuSeconds = process.cpuUsage(cpu).user / 1e6;
  const rowsPerSecond = (ROUNDS * ROWS) / cpuSeconds;
  uniform = uniform === 0 ? rowsPerSecond : uniform;
  const share = rowsPerSecond / uniform;
  console.log(
    `${name.padEnd(24)} ${(ROWS / best / 1000).toFixed(2)} M rows/s, ${(rowsPerSecond / 1e6).toFixed(2)} M rows/s of CPU, ` +
      `${share.toFixed(2)} of uniform`,
  );
  if (share < LEAST_SHARE) {
    process.exitCode = 1;
  }
}
