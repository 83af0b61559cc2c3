import { expect } from 'chai';
import fc from 'fast-check';
import { type Model, modelSteps } from '../../src/clustering/model.ts';
import { byPlace, type PlacedPane, sourcesAt, type TimeOptions } from '../../src/clustering/model-time.ts';
import { paneGrid } from '../../src/clustering/panes.ts';
import { RegionSummary } from '../../src/clustering/region-summary.ts';
import { finish } from '../../src/clustering/slices.ts';
import { latitude, longitude } from '../../src/geo/axes.ts';
import { regionOf } from '../../src/geo/s2.ts';
import { unitVector, type UnitVector } from '../../src/geo/sphere.ts';

const MINUTE = 60_000;
const BEGIN = Date.UTC(2026, 0, 1);

interface Row {
  readonly at: UnitVector;
  readonly time: number;
  readonly partition: number;
}

/** Crowds anywhere, also at poles and on both sides of the antimeridian, single rows, and many at one place. */
const places = fc.oneof(
  fc.tuple(fc.double({ min: -180, max: 180, noNaN: true }), fc.double({ min: -90, max: 90, noNaN: true })),
  fc.constantFrom(
    [180, 0] as const,
    [-180, 0.001] as const,
    [0, 90] as const,
    [77, -90] as const,
    [0, 0] as const,
  ),
);
const crowds = fc.array(
  fc.record({
    place: places,
    rows: fc.integer({ min: 1, max: 120 }),
    spread: fc.constantFrom(0, 1e-9, 0.001, 0.5, 20),
  }),
  { minLength: 1, maxLength: 6 },
);

const streams = fc
  .record({
    crowds,
    partitions: fc.integer({ min: 1, max: 4 }),
    level: fc.integer({ min: 0, max: 6 }),
    features: fc.integer({ min: 8, max: 200 }),
    paneMinutes: fc.integer({ min: 1, max: 90 }),
    historyMinutes: fc.integer({ min: 1, max: 600 }),
    seed: fc.nat(),
  })
  .map((stream) => ({ ...stream, rows: rowsOf(stream) }));

function rowsOf({
  crowds: all,
  partitions,
  seed,
}: {
  readonly crowds: readonly { place: readonly [number, number]; rows: number; spread: number }[];
  readonly partitions: number;
  readonly seed: number;
}): readonly Row[] {
  let state = seed % 2_147_483_647;
  const random = (): number => (state = (state * 48_271 + 1) % 2_147_483_647) / 2_147_483_647;
  return all.flatMap(({ place: [east, north], rows, spread }) =>
    Array.from({ length: rows }, () => ({
      at: unitVector({
        longitude: longitude(((((east + spread * (random() - 0.5) + 180) % 360) + 360) % 360) - 180),
        latitude: latitude(Math.max(-90, Math.min(90, north + spread * (random() - 0.5)))),
      }),
      time: BEGIN + Math.floor(random() * 600) * MINUTE,
      partition: Math.floor(random() * partitions),
    })),
  );
}

type Stream = typeof streams extends fc.Arbitrary<infer T> ? T : never;

/** Each row into the summary of its region and partition, one by one. */
function panesOf({ features, historyMinutes, level, paneMinutes, rows }: Stream): readonly PlacedPane[] {
  const grid = paneGrid(paneMinutes * MINUTE, historyMinutes * MINUTE);
  const summaries = new Map<string, { summary: RegionSummary; partition: number; region: number }>();
  for (const {
    at: [x, y, z],
    partition,
    time,
  } of rows) {
    const region = regionOf(x, y, z, level);
    const key = `${String(region)}/${String(partition)}`;
    const made = summaries.get(key) ?? {
      summary: RegionSummary.empty(region, level, { features, grid }),
      partition,
      region,
    };
    summaries.set(key, made);
    made.summary.fold(
      Float64Array.of(x),
      Float64Array.of(y),
      Float64Array.of(z),
      Float64Array.of(time),
      0,
      1,
    );
  }
  return [...summaries.values()]
    .flatMap(({ partition, region, summary }) => summary.panes.map((pane) => ({ region, partition, pane })))
    .sort(byPlace);
}

function modelOf(panes: readonly PlacedPane[], k: number, time: TimeOptions = {}): Model {
  return finish(modelSteps(sourcesAt(panes, time).sources, { k, seedings: 2 }));
}

/** The cost of the raw rows, each as its pane counts; Neumaier's compensated sum. */
function trueCost(
  { level, rows }: Stream,
  panes: readonly PlacedPane[],
  model: Model,
  time: TimeOptions,
): number {
  const { sources } = sourcesAt(panes, time);
  const factors = new Map(sources.map(({ factor = 1, tree }) => [tree, factor]));
  let sum = 0;
  let lost = 0;
  for (const { at, partition, time: when } of rows) {
    const region = regionOf(at[0], at[1], at[2], level);
    const own = panes.find(
      ({ pane: { span }, ...place }) =>
        place.region === region && place.partition === partition && when >= span.from && when < span.to,
    );
    const least = Math.min(
      ...model.clusters.map(({ center }) =>
        center.reduce((d, c, axis) => d + (c - (at[axis] as number)) ** 2, 0),
      ),
    );
    const cost = least * (own === undefined ? Number.NaN : (factors.get(own.pane.tree) ?? 0));
    const next = sum + cost;
    lost += Math.abs(sum) >= Math.abs(cost) ? sum - next + cost : cost - next + sum;
    sum = next;
  }
  return sum + lost;
}

describe('any partition of a stream over regions, panes and input partitions', () => {
  it('keeps the total weight exactly, and the true cost within the bounds', () => {
    fc.assert(
      fc.property(streams, fc.integer({ min: 1, max: 8 }), (stream, k) => {
        const panes = panesOf(stream);
        const model = modelOf(panes, k);
        expect(model.weight).to.equal(stream.rows.length);
        expect(model.clusters.reduce((weight, cluster) => weight + cluster.weight, 0)).to.equal(model.weight);
        const cost = trueCost(stream, panes, model, {});
        expect(cost).to.be.within(model.costBounds.lower, model.costBounds.upper);
        expect(model.cost).to.be.within(model.costBounds.lower, model.costBounds.upper);
      }),
      { numRuns: 150 },
    );
  });

  it('keeps the true cost within the bounds with half-life, window and at any time', () => {
    const times = fc.record(
      {
        halfLifeMs: fc.integer({ min: MINUTE / 10, max: 1000 * MINUTE }),
        windowMs: fc.integer({ min: 0, max: 600 * MINUTE }),
        asOf: fc.integer({ min: 1, max: 700 }).map((minutes) => BEGIN + minutes * MINUTE),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(streams, fc.integer({ min: 1, max: 8 }), times, (stream, k, time) => {
        const panes = panesOf(stream);
        const model = modelOf(panes, k, time);
        const cost = trueCost(stream, panes, model, time);
        if (model.clusters.length > 0) {
          expect(cost).to.be.within(model.costBounds.lower, model.costBounds.upper);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('crowds that jump', () => {
  const K = 8;
  const BATCH = 400;
  const BATCH_MS = 10 * MINUTE;

  /** Ten batches; from the sixth on half of the hot spots are elsewhere. */
  function jumping(): readonly Row[] {
    let state = 7;
    const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    return Array.from({ length: 11 * BATCH }, (_, row) => {
      const batch = Math.floor(row / BATCH);
      const spot = Math.floor(random() * K);
      const moved = batch >= 6 && spot % 2 === 0;
      return {
        at: unitVector({
          longitude: longitude(-60 + 14 * spot + (moved ? 7 : 0) + 0.3 * random()),
          latitude: latitude((moved ? -30 : 30) + 0.3 * random()),
        }),
        time: BEGIN + batch * BATCH_MS + Math.floor(((row % BATCH) * BATCH_MS) / BATCH),
        partition: 0,
      };
    });
  }

  function costOf(rows: readonly Row[], model: Model): number {
    return rows.reduce(
      (sum, { at }) =>
        sum +
        Math.min(
          ...model.clusters.map(({ center }) =>
            center.reduce((d, c, axis) => d + (c - (at[axis] as number)) ** 2, 0),
          ),
        ),
      0,
    );
  }

  it('are found again within five batches, by a window of three, or one of four with any half-life', () => {
    const rows = jumping();
    const stream = {
      rows,
      features: 1000,
      level: 3,
      paneMinutes: 2,
      historyMinutes: 600,
    } as unknown as Stream;
    const newest = rows.slice(-BATCH);
    const best = costOf(newest, modelOf(panesOf({ ...stream, rows: newest }), K));
    const ratioWith = (time: TimeOptions): number => costOf(newest, modelOf(panesOf(stream), K, time)) / best;
    expect(ratioWith({ windowMs: 3 * BATCH_MS })).to.be.below(1.5);
    expect(ratioWith({ halfLifeMs: 3 * BATCH_MS, windowMs: 4 * BATCH_MS })).to.be.below(1.5);
    // Without a window the model still has centers where nobody is.
    expect(ratioWith({})).to.be.above(1.5);
    expect(ratioWith({ halfLifeMs: 3 * BATCH_MS })).to.be.above(1.5);
  });
});
