/**
 * The live model at size: 10,000,000 points over the 384 regions of level 3, 3,000 cities and rows between
 * them, over one day of event time. Prints the memory of all summaries, the processor time of folding rows into them, what a warm
 * update takes part by part, and how long the event loop stands still while it and the search beside it run.
 *
 * `npm run bench:live [-- --points 10000000 --updates 100 --k 50]`
 *
 * Then the stream goes on. In the first two series it does so at the pace of the day, and an update follows 10,000 more
 * rows, 86 seconds of them (a live model is made every 5): rows from everywhere, so that the newest pane of every
 * region has changed, or from 16 regions. On the way an hour ends, and all regions begin a pane, three times in 100 updates.
 * The third is a burst: 100,000 rows an update, all within the same hour, whose panes get up to ten times the rows of others. It
 * has no target.
 *
 * Checkpoints write what has changed into a table of the embedded broker, in a temporary folder, as the region
 * actors do. An update begins with reading what is committed since the last one, and ends with the model. It runs as in
 * the aggregator, in slices, with the search beside it; every fourth time an update goes before
 * it whose parts are timed one after another in one go. The first eight updates of a series run in code that the engine
 * has not compiled yet: they are printed apart. Event loop and turns are watched from the first on. On a
 * busy machine the processor time tells more than the clock, by which neighbours make everything longer; both are
 * printed where the target is by the clock. Exits with 1 when a target is missed.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { BackgroundSearch } from '../src/actors/centroid-aggregator/background-search.ts';
import { SLICE_MS } from '../src/actors/in-slices.ts';
import { BackgroundTurns } from '../src/actors/centroid-aggregator/background-turns.ts';
import { DecodedSummaries, type ReadSummaries } from '../src/actors/centroid-aggregator/decoded-summaries.ts';
import { committedSummaries } from '../src/actors/centroid-aggregator/committed-summaries.ts';
import { WrittenParts } from '../src/actors/region/written-parts.ts';
import { openEmbeddedBroker } from '../src/broker/embedded/broker.ts';
import { LayerCache } from '../src/clustering/layer-cache.ts';
import type { LiveClusters } from '../src/clustering/identity.ts';
import { searchCenters } from '../src/clustering/kmeans.ts';
import { type LiveModel, liveModelSteps } from '../src/clustering/live-model.ts';
import { centersOf, modelOf } from '../src/clustering/model.ts';
import { liveFeatures } from '../src/clustering/model-features.ts';
import { sourcesAt, sourceSteps } from '../src/clustering/model-time.ts';
import { paneGrid } from '../src/clustering/panes.ts';
import { createRandom } from '../src/clustering/random.ts';
import { RegionSummary } from '../src/clustering/region-summary.ts';
import { finish, finishInSlices, type Steps } from '../src/clustering/slices.ts';
import { fillRegions, regionCount, regionToken } from '../src/geo/s2.ts';
import { collectLessOften } from '../src/heap.ts';
import { systemClock } from '../src/system/clock.ts';
import { nextTurn } from '../src/system/event-loop.ts';
import { silentLogger } from '../src/system/logger.ts';

// As the program does.
collectLessOften();

const { values } = parseArgs({
  options: {
    points: { type: 'string', default: '10000000' },
    updates: { type: 'string', default: '100' },
    k: { type: 'string', default: '50' },
  },
});

const TABLE = 'regions';
const LEVEL = 3;
const HOUR_MS = 3_600_000;
/** The defaults. */
const KEPT = { features: 4_000, grid: paneGrid(HOUR_MS, 7 * 24 * HOUR_MS) };
const BATCH = 100_000;
/** Rows between two updates at the pace of the day. */
const UPDATE_ROWS = 10_000;
const CITIES = 3_000;
/** Before each of so many updates one is timed by its parts. */
const PARTS_EVERY = 4;
/** Share of the rows that are in cities. */
const URBAN = 0.6;
const FEW_REGIONS = 16;
/** So many updates of each series are none of those that count: the engine compiles what they are made by. */
const WARMING_UP = 8;
const MIB = 2 ** 20;

const directory = await mkdtemp(join(tmpdir(), 'geoflock-bench-'));
const broker = await openEmbeddedBroker({
  directory,
  mapBytes: 2 ** 29,
  clock: systemClock,
  log: silentLogger,
});
await broker.declareTopics([{ name: TABLE, kind: 'table', partitions: 1 }]);
const writer = await broker.openWriter('regions-0');

const random = createRandom(2024);
const points = Number(values.points);
const model = { k: Number(values.k) };

/** Milliseconds of processor time of all threads. */
function processorMs(): number {
  const { system, user } = process.cpuUsage();
  return (user + system) / 1000;
}

function gauss(): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

function onSphere(): [number, number, number] {
  const height = 2 * random() - 1;
  const turn = 2 * Math.PI * random();
  const radius = Math.sqrt(1 - height * height);
  return [radius * Math.cos(turn), radius * Math.sin(turn), height];
}

/** From 3 to 35 km wide; the first have most of the rows. */
const cities = Array.from({ length: CITIES }, () => ({ at: onSphere(), spread: 0.0005 + 0.005 * random() }));

function row(): [number, number, number] {
  const city = random() < URBAN ? cities[Math.floor(CITIES * random() ** 2.5)] : undefined;
  if (city === undefined) {
    return onSphere();
  }
  const [x, y, z] = city.at.map((value) => value + city.spread * gauss()) as [number, number, number];
  const length = Math.hypot(x, y, z);
  return [x / length, y / length, z / length];
}

/** Kept from model to model, as in the aggregator. */
const decoded = new DecodedSummaries();
const cache = new LayerCache();
const summaries = new Map<number, RegionSummary>();
/** Of each region, what the table holds of it. */
const written = new Map<number, WrittenParts>();
let foldedMs = 0;
/** Of the stream; by it goes the time. */
let rowsGone = 0;

const column = (): Float64Array => new Float64Array(BATCH);
/** Used for each batch: what the bench itself leaves behind would be collected while it measures. */
const drawn = { x: column(), y: column(), z: column(), region: new Int32Array(BATCH) };
const grouped = { x: column(), y: column(), z: column(), time: column() };

/** Rows that follow each other. */
interface Rows {
  /** How many, at most BATCH. */
  readonly count: number;
  /** Only those in these are folded; undefined: all. */
  readonly regions?: ReadonlySet<number>;
  /** They take no time. */
  readonly atOnce?: boolean;
}

/** Folds rows, region by region as the region actors do. */
function fold({ atOnce = false, count, regions }: Rows): void {
  for (let at = 0; at < count; at++) {
    [drawn.x[at], drawn.y[at], drawn.z[at]] = row();
  }
  fillRegions(drawn.x, drawn.y, drawn.z, LEVEL, drawn.region, 0, count);
  grouped.time.fill((24 * HOUR_MS * rowsGone) / points);
  rowsGone += atOnce ? 0 : count;
  const ends = groupByRegion(count);
  const { time, x, y, z } = grouped;
  const begun = processorMs();
  let from = 0;
  for (let region = 0; region < ends.length; region++) {
    const to = ends[region] as number;
    if (to > from && (regions?.has(region) ?? true)) {
      const summary = summaries.get(region) ?? RegionSummary.empty(region, LEVEL, KEPT);
      summaries.set(region, summary);
      summary.fold(x, y, z, time, from, to);
    }
    from = to;
  }
  foldedMs += processorMs() - begun;
}

/** The rows of each region one after another, in their order; by region, where they end. */
function groupByRegion(count: number): Int32Array {
  const regions = drawn.region.subarray(0, count);
  const next = new Int32Array(regionCount(LEVEL) + 1);
  for (let at = 0; at < count; at++) {
    const region = regions[at] as number;
    next[region + 1] = (next[region + 1] as number) + 1;
  }
  for (let region = 1; region < next.length; region++) {
    next[region] = (next[region] as number) + (next[region - 1] as number);
  }
  for (let at = 0; at < count; at++) {
    const region = regions[at] as number;
    const to = next[region] as number;
    next[region] = to + 1;
    grouped.x[to] = drawn.x[at] as number;
    grouped.y[to] = drawn.y[at] as number;
    grouped.z[to] = drawn.z[at] as number;
  }
  return next.subarray(0, -1);
}

/** Writes what has changed, as the region actors and the partition's do. */
async function checkpoint(): Promise<void> {
  const transaction = writer.begin();
  for (const [region, summary] of summaries) {
    const parts = written.get(region) ?? new WrittenParts(regionToken(region, LEVEL), new Map(), summary);
    written.set(region, parts);
    for (const { key, value } of parts.update(summary)) {
      transaction.put(TABLE, 0, key, value);
    }
  }
  await transaction.commit();
}

/** What is committed, without what the last model was made of. */
function readCommitted(): Promise<ReadSummaries> {
  return committedSummaries(broker, TABLE, 1, decoded.since(0));
}

function print(what: string, figures: string): void {
  process.stdout.write(`${what.padEnd(58)} ${figures}\n`);
}

function quantile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function printTimes(what: string, times: readonly number[]): void {
  const at = (share: number): string => quantile(times, share).toFixed(1).padStart(7);
  print(what, `p50 ${at(0.5)}   p95 ${at(0.95)}   max ${at(1)} ms`);
}

function printTarget(what: string, value: number, unit: string, target: number): void {
  const met = value < target;
  print(what, `${value.toFixed(2)} ${unit} (target below ${String(target)}: ${met ? 'met' : 'MISSED'})`);
  if (!met) {
    process.exitCode = 1;
  }
}

/** Times each part of an update by itself. */
async function parts(live: LiveClusters, into: Map<string, number[]>): Promise<void> {
  await checkpoint();
  const time = <T>(part: string, steps: Steps<T>): T => {
    const begun = processorMs();
    const result = finish(steps);
    into.set(part, [...(into.get(part) ?? []), processorMs() - begun]);
    return result;
  };
  const encoded = await readCommitted();
  const panes = time('decoding', decoded.decode(encoded));
  const features = time('features and coarsening', liveFeatures(sourcesAt(panes, {}).sources, {}, cache));
  const warmStart = centersOf(live);
  const found = time('warm search', searchCenters(features.coarse, { ...model, seedings: 0, warmStart }));
  time('assignment and bounds', modelOf(features, model.k, found));
}

function* update(encoded: ReadSummaries, before: LiveModel, search: BackgroundSearch): Steps<LiveModel> {
  const { sources } = yield* sourceSteps(yield* decoded.decode(encoded), {});
  return yield* liveModelSteps(sources, model, before.live, search.found, cache);
}

async function series(what: string, first: LiveModel, rows: Rows): Promise<LiveModel> {
  const works: Promise<void>[] = [];
  const stop = new AbortController();
  const turns = new BackgroundTurns();
  const search = new BackgroundSearch({
    context: {
      clock: systemClock,
      background: (work) => {
        works.push(work(stop.signal));
      },
    },
    model,
    turns,
    onBetter: () => undefined,
  });
  const timed = new Map<string, number[]>();
  const cold: number[] = [];
  const reading: number[] = [];
  const whole: number[] = [];
  const wholeCpu: number[] = [];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let last = first;
  let searches = 0;
  let stall = 0;
  let turnCpu = 0;
  for (let turn = -WARMING_UP; turn < Number(values.updates); turn++) {
    const isWarm = turn >= 0;
    if (turn % PARTS_EVERY === 0) {
      fold(rows);
      await parts(last.live, timed);
    }
    fold(rows);
    await checkpoint();
    await nextTurn();
    // Only from here on: making rows is no part of it.
    delay.reset();
    delay.enable();
    const done = new AbortController();
    // What one turn of the event loop takes, whoever works in it.
    const watch = (async () => {
      for (let before = processorMs(); !done.signal.aborted; ) {
        await nextTurn();
        const now = processorMs();
        turnCpu = Math.max(turnCpu, now - before);
        before = now;
      }
    })();
    const begun = performance.now();
    const begunCpu = processorMs();
    let read = begun;
    last = await turns.goFirst(async () => {
      const encoded = await readCommitted();
      read = performance.now();
      return finishInSlices(update(encoded, last, search), {
        now: () => performance.now(),
        pause: nextTurn,
        sliceMs: SLICE_MS,
      });
    });
    reading.push(read - begun);
    const took = performance.now() - begun;
    (isWarm ? whole : cold).push(took);
    if (isWarm) {
      wholeCpu.push(processorMs() - begunCpu);
    }
    if (search.found !== undefined) {
      searches++;
      search.judged();
    }
    if (last.unsearched !== undefined) {
      search.begin(last.unsearched);
    }
    // The search goes on alone until the next model.
    const until = performance.now() + 100;
    while (performance.now() < until) {
      await nextTurn();
    }
    done.abort();
    await watch;
    delay.disable();
    stall = Math.max(stall, delay.max / 1e6);
  }
  stop.abort();
  await Promise.all(works);
  for (const [part, times] of timed) {
    printTimes(`${what}: ${part}, CPU`, times);
  }
  print(`${what}: the first updates`, `${cold.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  printTimes(`${what}: reading what is committed`, reading);
  printTimes(`${what}: whole update, CPU`, wholeCpu);
  printTimes(`${what}: whole update`, whole);
  print(`${what}: searches that ended beside`, String(searches));
  print(`${what}: longest turn, CPU`, `${turnCpu.toFixed(2)} ms`);
  const { lower, upper } = last.model.costBounds;
  print(`${what}: width of the cost's bounds`, `${((100 * (upper - lower)) / lower).toFixed(2)} %`);
  const [p95, stood] = [quantile(whole, 0.95), `${what}: event loop stood still for at most`];
  if (rows.atOnce) {
    print(stood, `${stall.toFixed(2)} ms`);
  } else {
    printTarget(`${what}: whole update, p95`, p95, 'ms', 100);
    printTarget(stood, stall, 'ms', 20);
  }
  return last;
}

while (rowsGone < points) {
  fold({ count: BATCH });
}
await checkpoint();
const trees = [...summaries.values()].flatMap(({ panes }) => panes.map(({ tree }) => tree));
/** Of several panes each, some of them. */
const buffers = new Set(trees.map(({ quadtree }) => quadtree.nodes.features.buffer));
const bytes = [...buffers].reduce((sum, { byteLength }) => sum + byteLength, 0);
print('regions', String(summaries.size));
print('panes', String(trees.length));
print('buffers', String(buffers.size));
print('features', String(trees.reduce((sum, tree) => sum + tree.count, 0)));
printTarget('memory of all summaries', bytes / MIB, 'MiB', 64);
printTarget('insertion, CPU for a million points', foldedMs / 1000 / (points / 1e6), 's', 0.5);
const begun = performance.now();
const { sources } = sourcesAt(finish(decoded.decode(await readCommitted())), {});
const first = finish(liveModelSteps(sources, model, undefined, undefined, cache));
print('first model, with the search from nothing', `${(performance.now() - begun).toFixed(0)} ms`);
const few = new Set([...summaries.keys()].slice(0, FEW_REGIONS));
let last = await series('rows from everywhere', first, { count: UPDATE_ROWS });
last = await series(`rows from ${String(FEW_REGIONS)} regions`, last, { count: UPDATE_ROWS, regions: few });
await series('a burst', last, { count: BATCH, atOnce: true });
await broker.close();
await rm(directory, { recursive: true });
