/**
 * Rows a second of the row kernel over rows of the generator's form: the best of several rounds by the
 * clock, and the mean of this process's CPU time, which a busy machine disturbs less.
 */
import { randomUUID } from 'node:crypto';
import { performance } from 'node:perf_hooks';

import { allocateColumns } from '../src/rows/columns.ts';
import { TOPIC_LAYOUT } from '../src/rows/kernel.ts';
import { formatTimepoint } from '../src/rows/timepoint.ts';
import { createTypeScriptKernel } from '../src/rows/typescript-kernel.ts';

const ROWS = 200_000;
const CHUNK_BYTES = 256 * 1024;
const ROUNDS = 20;

interface Form {
  readonly name: string;
  readonly line: (time: number) => string;
}

const uniform = (low: number, high: number): number => low + Math.random() * (high - low);
const acceleration = (): string => String(uniform(-2, 10));
const fields = (time: string, longitude: string, latitude: string): string[] => [
  time,
  randomUUID(),
  acceleration(),
  acceleration(),
  acceleration(),
  longitude,
  latitude,
  String(Math.round(Math.random())),
];
const longitude = (): string => String(uniform(-180, 180));
const latitude = (): string => String(uniform(-90, 90));

const forms: readonly Form[] = [
  { name: 'plain', line: (time) => fields(formatTimepoint(time), longitude(), latitude()).join(',') },
  {
    name: 'every row another minute',
    line: (time) => fields(formatTimepoint(time + Math.random() * 1e12), longitude(), latitude()).join(','),
  },
  {
    name: 'ISO time with Z',
    line: (time) => fields(new Date(time).toISOString(), longitude(), latitude()).join(','),
  },
  {
    name: 'every field quoted',
    line: (time) =>
      fields(formatTimepoint(time), longitude(), latitude())
        .map((field) => `"${field}"`)
        .join(','),
  },
  {
    name: 'axes swapped (half rejected)',
    line: (time) => fields(formatTimepoint(time), latitude(), longitude()).join(','),
  },
];

const columns = allocateColumns(8192);

for (const { name, line } of forms) {
  const kernel = createTypeScriptKernel({
    layout: TOPIC_LAYOUT,
    utcOffsetMinutes: 0,
    maxLineBytes: 64 * 1024,
    maxTime: Number.POSITIVE_INFINITY,
  });
  const start = Date.UTC(2026, 10, 22, 10);
  const bytes = Buffer.from(Array.from({ length: ROWS }, (_, row) => `${line(start + row)}\n`).join(''));
  let best = Number.POSITIVE_INFINITY;
  let accepted = 0;
  const cpu = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round++) {
    accepted = 0;
    const began = performance.now();
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + CHUNK_BYTES);
      const counts = kernel.parse(bytes, at, end, end === bytes.length, columns, 0, columns.capacity);
      for (let row = 0; row < counts.rows; row++) if (columns.verdict[row] === 0) accepted++;
      at += counts.bytes;
    }
    best = Math.min(best, performance.now() - began);
  }
  const cpuNanoseconds = (process.cpuUsage(cpu).user * 1000) / (ROUNDS * ROWS);
  const nanoseconds = (best * 1e6) / ROWS;
  const size = (bytes.length / ROWS).toFixed(0);
  console.log(
    `${name}: ${(1000 / nanoseconds).toFixed(2)} M rows/s, ${nanoseconds.toFixed(0)} ns/row, ${cpuNanoseconds.toFixed(0)} ns CPU/row, ${size} bytes/row, ${String(accepted)} of ${String(ROWS)} accepted`,
  );
}
