/**
 * Prints the cost of the geometry, the region summary and the model, in processor time,
 * best of several runs. Compile it (`npx tsc -p tsconfig.json --noEmit false --outDir <folder>`) and run the
 * JavaScript with node; a loader such as tsx makes calls between modules slower.
 */
import { featuresOfPoints } from '../src/clustering/features.ts';
import { FeatureTree } from '../src/clustering/feature-tree.ts';
import { searchCenters } from '../src/clustering/kmeans.ts';
import { clustersOf, modelSteps } from '../src/clustering/model.ts';
import type { ModelSource } from '../src/clustering/model-features.ts';
import { createRandom } from '../src/clustering/random.ts';
import { finish } from '../src/clustering/slices.ts';
import { fillRegions, regionAddress, regionOf } from '../src/geo/s2.ts';
import { fillUnitVectors } from '../src/geo/sphere.ts';

const LEVEL = 3;
const ROWS = 1_000_000;
const random = createRandom(2024);

function gauss(): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Milliseconds of processor time: on a shared machine the wall clock tells of the neighbours. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function best(runs: number, work: () => void): number {
  let least = Infinity;
  for (let run = 0; run < runs; run++) {
    const start = processorMs();
    work();
    least = Math.min(least, processorMs() - start);
  }
  return least;
}

function print(what: string, value: number, unit: string): void {
  process.stdout.write(`${what.padEnd(52)} ${value.toFixed(value < 10 ? 3 : 1).padStart(10)} ${unit}\n`);
}

interface Rows {
  readonly east: Float64Array;
  readonly north: Float64Array;
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
}

function rowsOf(count: number, draw: () => readonly [number, number], region?: number): Rows {
  const column = (): Float64Array => new Float64Array(count);
  const rows = { east: column(), north: column(), x: column(), y: column(), z: column() };
  for (let row = 0; row < count; ) {
    const [east, north] = draw();
    rows.east[row] = east;
    rows.north[row] = north;
    fillUnitVectors(rows.east, rows.north, rows.x, rows.y, rows.z, row, row + 1);
    const at = regionOf(rows.x[row] as number, rows.y[row] as number, rows.z[row] as number, LEVEL);
    if (region === undefined || at === region) {
      row++;
    }
  }
  return rows;
}

const uniformDraw = (): readonly [number, number] => [-20 + 60 * random(), 30 + 40 * random()];

function cityDraw(cities: number, width: number, height: number): () => readonly [number, number] {
  const places = Array.from({ length: cities }, () => [
    8 + width * (random() - 0.5),
    47 + height * (random() - 0.5),
    0.01 + 0.1 * random(),
  ]);
  return () => {
    const [east, north, spread] = places[Math.floor(cities * random() ** 1.5)] as [number, number, number];
    return [east + spread * gauss(), north + spread * gauss()];
  };
}

const HOME = rowsOf(1, () => [8, 47]);
const REGION = regionOf(HOME.x[0] as number, HOME.y[0] as number, HOME.z[0] as number, LEVEL);

function benchRegion(kind: string, rows: Rows): void {
  const { east, north, x, y, z } = rows;
  const regions = new Int32Array(ROWS);
  const perRow = (ms: number): number => (ms * 1e6) / ROWS;
  print(
    `${kind}: unit vectors`,
    perRow(
      best(5, () => {
        fillUnitVectors(east, north, x, y, z, 0, ROWS);
      }),
    ),
    'ns/row',
  );
  print(
    `${kind}: regions`,
    perRow(
      best(5, () => {
        fillRegions(x, y, z, LEVEL, regions, 0, ROWS);
      }),
    ),
    'ns/row',
  );
  let tree = new FeatureTree(regionAddress(REGION, LEVEL), 2000);
  const insert = best(5, () => {
    tree = new FeatureTree(regionAddress(REGION, LEVEL), 2000);
    for (let from = 0; from < ROWS; from += 8192) {
      tree.insertColumns(x, y, z, from, Math.min(ROWS, from + 8192));
    }
  });
  print(`${kind}: insert, coarsening included`, perRow(insert), 'ns/row');
  const bytes = tree.encode();
  print(`${kind}: features`, tree.count, '');
  print(`${kind}: memory`, tree.memoryBytes, 'bytes');
  print(`${kind}: encoded`, bytes.length, 'bytes');
  print(
    `${kind}: encode`,
    best(20, () => {
      for (let n = 0; n < 100; n++) {
        tree.encode();
      }
    }) * 10,
    'us',
  );
  print(
    `${kind}: decode`,
    best(20, () => {
      for (let n = 0; n < 100; n++) {
        FeatureTree.decode(bytes);
      }
    }) * 10,
    'us',
  );
}

function benchModel(kind: string, rows: Rows, ks: readonly number[], compare: boolean): void {
  const { x, y, z } = rows;
  const trees = new Map<number, FeatureTree>();
  for (let row = 0; row < x.length; row++) {
    const region = regionOf(x[row] as number, y[row] as number, z[row] as number, LEVEL);
    const tree = trees.get(region) ?? new FeatureTree(regionAddress(region, LEVEL), 2000);
    trees.set(region, tree);
    tree.insertColumns(x, y, z, row, row + 1);
  }
  const sources: ModelSource[] = [...trees]
    .sort((a, b) => a[0] - b[0])
    .map(([region, tree]) => ({ region, partition: 0, tree }));
  print(`${kind}: regions`, sources.length, '');
  print(
    `${kind}: features`,
    sources.reduce((sum, { tree }) => sum + tree.count, 0),
    '',
  );
  for (const k of ks) {
    let longest = 0;
    const start = processorMs();
    const steps = modelSteps(sources, { k });
    let last = start;
    let step = steps.next();
    while (step.done !== true) {
      const now = processorMs();
      longest = Math.max(longest, now - last);
      last = now;
      step = steps.next();
    }
    const model = step.value;
    print(`${kind}: model, k = ${String(k)}`, processorMs() - start, 'ms');
    print(`${kind}: longest step, k = ${String(k)}`, longest, 'ms');
    if (compare) {
      const features = featuresOfPoints(x, y, z);
      const raw = finish(searchCenters(features, { k, seedings: 8 }));
      // Both sets of centers judged by the raw rows.
      const column = (axis: 0 | 1 | 2): Float64Array =>
        Float64Array.from(model.clusters, ({ center }) => center[axis]);
      const centers = { count: model.clusters.length, x: column(0), y: column(1), z: column(2) };
      const judged = finish(clustersOf(features, k, centers));
      print(`${kind}: cost / Lloyd over raw rows, k = ${String(k)}`, judged.cost / raw.cost, '');
      print(`${kind}: cost it says / its cost, k = ${String(k)}`, model.cost / judged.cost, '');
    }
  }
}

benchRegion('uniform', rowsOf(ROWS, uniformDraw, REGION));
benchRegion('cities', rowsOf(ROWS, cityDraw(20, 6, 4), REGION));
benchModel('20 cities', rowsOf(200_000, cityDraw(20, 12, 8)), [5, 20], true);
benchModel('300 cities of a continent', rowsOf(1_000_000, cityDraw(300, 40, 25)), [5, 50], false);
benchModel(
  'whole sphere',
  rowsOf(1_000_000, () => [360 * random() - 180, (Math.asin(2 * random() - 1) * 180) / Math.PI]),
  [5, 50],
  false,
);
