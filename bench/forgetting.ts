/**
 * How fast models leave the places that nobody is at any more. Half of sixteen hot spots jump, and the model of
 * all rows so far is asked for a batch that comes after: what that costs over a fit on the batch alone, by the
 * number of batches since the jump, by how far they jumped, and by what the model forgets.
 */
import { fillUnitVectors } from '../src/geo/sphere.ts';
import { type Chance, chanceOf } from './quality/chance.ts';
import { costOf, readModel } from './quality/cost.ts';
import { exportedModel } from './quality/program.ts';
import type { Rows } from './quality/stream.ts';

const K = 16;
const SEEDS = 5;
const BATCH = 2_000;
const BATCH_MINUTES = 10;
const BEFORE = 12;
const AFTER = [1, 2, 3, 4, 5, 8, 12];
const SPREAD_KM = 10;
const JUMPS_KM = [10, 30, 100, 300, 1000, 5000];
const KM_PER_DEGREE = 111.2;
const BEGIN = Date.UTC(2026, 0, 1);

const minutes = (batches: number): string => `${String(batches * BATCH_MINUTES)}m`;
const FORGETS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'half-life 3': { 'clustering.halfLife': minutes(3) },
  'window 3': { 'clustering.window': minutes(3) },
  'half-life 3, window 4': { 'clustering.halfLife': minutes(3), 'clustering.window': minutes(4) },
};

interface Stream extends Rows {
  readonly times: Float64Array;
}

function streamOf(jumpKm: number, chance: Chance): Stream {
  const spots = Array.from({ length: K }, () => {
    // A direction of a length that is nearly the jump's.
    const [a, b] = [chance.normal(), chance.normal()];
    const scale = jumpKm / KM_PER_DEGREE / Math.sqrt(a * a + b * b);
    return { east: 360 * chance.unit() - 180, north: 100 * chance.unit() - 50, a: a * scale, b: b * scale };
  });
  const cumulative = Float64Array.from(spots, (_, n) => n + 1);
  const count = (BEFORE + Math.max(...AFTER) + 1) * BATCH;
  const [east, north, times] = [new Float64Array(count), new Float64Array(count), new Float64Array(count)];
  for (let row = 0; row < count; row++) {
    const hot = chance.pick(cumulative);
    const spot = spots[hot] as (typeof spots)[number];
    const jumped = row >= BEFORE * BATCH && hot % 2 === 1;
    const latitude = spot.north + (jumped ? spot.b : 0) + (SPREAD_KM / KM_PER_DEGREE) * chance.normal();
    const along = (jumped ? spot.a : 0) + (SPREAD_KM / KM_PER_DEGREE) * chance.normal();
    const longitude = spot.east + along / Math.cos((spot.north * Math.PI) / 180);
    north[row] = Math.max(-90, Math.min(90, latitude));
    east[row] = ((((longitude + 180) % 360) + 360) % 360) - 180;
    times[row] = Math.floor(BEGIN + (row / BATCH) * BATCH_MINUTES * 60_000);
  }
  const [x, y, z] = [new Float64Array(count), new Float64Array(count), new Float64Array(count)];
  fillUnitVectors(east, north, x, y, z, 0, count);
  return { count, x, y, z, times, checksum: '' };
}

function part({ checksum, times, x, y, z }: Stream, from: number, to: number): Stream {
  const cut = (column: Float64Array): Float64Array => column.subarray(from, to);
  return { count: to - from, x: cut(x), y: cut(y), z: cut(z), times: cut(times), checksum };
}

/** Of each way to forget the ratios, in the order of AFTER. */
function ratiosOf(stream: Stream): Map<string, number[]> {
  const ratios = new Map(Object.keys(FORGETS).map((name): [string, number[]] => [name, []]));
  for (const batches of AFTER) {
    const end = (BEFORE + batches) * BATCH;
    const next = part(stream, end, end + BATCH);
    const costBy = (rows: Stream, settings: Readonly<Record<string, string>>): number =>
      costOf(next, readModel(exportedModel(rows, rows.times, K, settings)).centers);
    const fit = costBy(next, {});
    for (const [name, settings] of Object.entries(FORGETS)) {
      ratios.get(name)?.push(costBy(part(stream, 0, end), settings) / fit);
    }
  }
  return ratios;
}

const told = (ratio: number): string => (ratio < 100 ? ratio.toFixed(2) : Math.round(ratio).toString());

console.log(`| jump km | forgets | ${AFTER.map((batches) => `after ${String(batches)}`).join(' | ')} |`);
console.log(`|---|---|${AFTER.map(() => '---').join('|')}|`);
for (const jump of JUMPS_KM) {
  const runs = Array.from({ length: SEEDS }, (_, seed) =>
    ratiosOf(streamOf(jump, chanceOf('forgetting', seed + 1))),
  );
  for (const name of Object.keys(FORGETS)) {
    const worst = AFTER.map((_, at) => told(Math.max(...runs.map((run) => run.get(name)?.[at] ?? NaN))));
    console.log(`| ${String(jump)} | ${name} | ${worst.join(' | ')} |`);
  }
}
