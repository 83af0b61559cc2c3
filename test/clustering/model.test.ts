import { expect } from 'chai';
import fc from 'fast-check';
import { chooseK } from '../../src/clustering/choose-k.ts';
import type { KRecord } from '../../src/clustering/cold-search.ts';
import { featuresOfPoints } from '../../src/clustering/features.ts';
import { FeatureTree } from '../../src/clustering/feature-tree.ts';
import { serializeGeoJson, serializeModel } from '../../src/clustering/geojson.ts';
import { searchCenters } from '../../src/clustering/kmeans.ts';
import type { Centers } from '../../src/clustering/kmeans-passes.ts';
import { buildModel, clustersOf, type Model, modelSteps } from '../../src/clustering/model.ts';
import { modelFeatures, type ModelSource } from '../../src/clustering/model-features.ts';
import { finish } from '../../src/clustering/slices.ts';
import { EARTH_RADIUS_KM, greatCircleKm, type UnitVector } from '../../src/geo/sphere.ts';
import { cityPoints, type Points, pointsAt, sourcesOf, spherePoints } from './points.ts';

function sphereSource(points: Points): ModelSource[] {
  const tree = new FeatureTree('sphere', 2000);
  tree.insertColumns(points.x, points.y, points.z, 0, points.x.length);
  return [{ region: 0, partition: 0, tree }];
}

/** Sum over raw points of the squared distance to the nearest center. */
function rawCost({ x, y, z }: Points, centers: readonly UnitVector[]): number {
  let cost = 0;
  for (let row = 0; row < x.length; row++) {
    let least = Infinity;
    for (const c of centers) {
      const dx = (x[row] as number) - c[0];
      const dy = (y[row] as number) - c[1];
      const dz = (z[row] as number) - c[2];
      least = Math.min(least, dx * dx + dy * dy + dz * dz);
    }
    cost += least;
  }
  return cost;
}

const vectors = ({ count, x, y, z }: Centers): UnitVector[] =>
  Array.from({ length: count }, (_, c) => [x[c] as number, y[c] as number, z[c] as number]);

function checkShape(model: Model, rows: number): void {
  expect(model.weight).to.equal(rows);
  expect(model.clusters.reduce((sum, { weight }) => sum + weight, 0)).to.equal(rows);
  expect(model.clusters.reduce((sum, { share }) => sum + share, 0)).to.be.closeTo(1, 1e-12);
  model.clusters.forEach((cluster, n) => {
    expect(cluster.id).to.equal(n + 1);
    expect(cluster.weight).to.be.above(0);
    expect(cluster.radiusKm).to.be.within(0, Math.PI * EARTH_RADIUS_KM);
    const next = model.clusters[n + 1];
    if (next !== undefined) {
      expect(cluster.weight).to.be.at.least(next.weight);
    }
  });
}

describe('buildModel', () => {
  it('of no rows is empty', () => {
    const kChoice = { reason: 'k = 5 is fixed by clustering.k', effectiveRows: null, curve: [] };
    const costBounds = { lower: 0, upper: 0 };
    const empty: Model = { k: 5, weight: 0, cost: 0, costBounds, kChoice, clusters: [] };
    expect(buildModel([], { k: 5 })).to.deep.equal(empty);
    const tree = new FeatureTree('sphere', 8);
    expect(buildModel([{ region: 0, partition: 0, tree }], { k: 5 })).to.deep.equal(empty);
  });

  it('of one place is that place, exactly', () => {
    for (const place of [
      [8.5, 47.3],
      [180, 12],
      [0, 90],
      [0, -90],
    ] as const) {
      const { clusters, cost, weight } = buildModel(
        sphereSource(pointsAt(Array.from({ length: 1000 }, () => place))),
        {
          k: 5,
        },
      );
      expect([clusters.length, cost, weight]).to.deep.equal([1, 0, 1000]);
      expect(clusters[0]?.longitude).to.be.closeTo(place[0], 1e-12);
      expect(clusters[0]?.latitude).to.be.closeTo(place[1], 1e-12);
      expect([clusters[0]?.radiusKm, clusters[0]?.share, clusters[0]?.id]).to.deep.equal([0, 1, 1]);
    }
  });

  it('joins the two sides of the antimeridian', () => {
    const model = buildModel(
      sphereSource(pointsAt(Array.from({ length: 100 }, (_, n) => (n % 2 === 0 ? [179.9, 0] : [-179.9, 0])))),
      { k: 1 },
    );
    expect(Math.abs(model.clusters[0]?.longitude ?? 0)).to.be.closeTo(180, 1e-9);
    expect(model.clusters[0]?.radiusKm).to.be.closeTo((0.1 * Math.PI * EARTH_RADIUS_KM) / 180, 1e-6);
  });

  it('joins what surrounds a pole', () => {
    const ring = Array.from({ length: 360 }, (_, n): [number, number] => [n - 179, 89]);
    const cluster = buildModel(sphereSource(pointsAt(ring)), { k: 1 }).clusters[0];
    expect(cluster?.latitude).to.be.closeTo(90, 1e-6);
    expect(cluster?.radiusKm).to.be.closeTo((Math.PI * EARTH_RADIUS_KM) / 180, 0.01);
  });

  it('gives a cluster without a direction that of its medoid', () => {
    const model = buildModel(
      sphereSource(
        pointsAt([
          ...Array<[number, number]>(5).fill([20, 30]),
          ...Array<[number, number]>(5).fill([-160, -30]),
        ]),
      ),
      { k: 1 },
    );
    const cluster = model.clusters[0];
    expect(Math.hypot(...(cluster?.center ?? [1]))).to.be.below(1e-9);
    expect([[20, 30].join(), [-160, -30].join()]).to.include(
      [Math.round(cluster?.longitude ?? 0), Math.round(cluster?.latitude ?? 0)].join(),
    );
    // Half the rows at no distance, half at the antipode.
    expect(cluster?.radiusKm).to.be.closeTo(Math.PI * EARTH_RADIUS_KM * Math.SQRT1_2, 1e-3);
  });

  it('does not need a direction at all', () => {
    const tree = new FeatureTree('sphere', 8);
    tree.insertFeature(4, 0, 0, 0, 4);
    const model = buildModel([{ region: 0, partition: 0, tree }], { k: 2 });
    expect(model.clusters[0]).to.include({ longitude: 0, latitude: 0, weight: 4 });
  });

  it('has exact weights, ranks, and the cost of its own centers', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 9 }), fc.boolean(), (seed, k, wide) => {
        const points = wide ? spherePoints(800, seed) : cityPoints(800, 7, seed);
        const model = buildModel(sourcesOf(points), { k, seedings: 2 });
        checkShape(model, 800);
        // 800 distinct points are kept as they are, so that the model can be told from the raw rows.
        const centers = model.clusters.map(({ center }) => center);
        expect(model.cost / rawCost(points, centers)).to.be.within(1 - 1e-9, 1.001);
      }),
      { numRuns: 10 },
    );
  });

  it('tells the true radius from the features', () => {
    const points = cityPoints(5000, 1, 2);
    const cluster = buildModel(sourcesOf(points, 50), { k: 1 }).clusters[0];
    const [x, y, z] = cluster?.center ?? [0, 0, 0];
    const length = Math.hypot(x, y, z);
    let squares = 0;
    for (let row = 0; row < 5000; row++) {
      const point: UnitVector = [points.x[row] as number, points.y[row] as number, points.z[row] as number];
      squares += greatCircleKm(point, [x / length, y / length, z / length]) ** 2;
    }
    expect((cluster?.radiusKm ?? 0) / Math.sqrt(squares / 5000)).to.be.closeTo(1, 1e-6);
  });

  it('ranks equal weights by center', () => {
    const places: [number, number][] = [
      [10, 0],
      [-50, 20],
      [100, -30],
    ];
    const model = buildModel(
      sphereSource(pointsAt(Array.from({ length: 90 }, (_, n) => places[n % 3] as [number, number]))),
      { k: 3 },
    );
    expect(model.clusters.map(({ longitude }) => Math.round(longitude))).to.deep.equal([100, -50, 10]);
  });

  it('is the same to the byte again, and refuses sources out of order', () => {
    const sources = sourcesOf(cityPoints(4000, 9, 4));
    const text = serializeModel(buildModel(sources, { k: 4 }));
    expect(serializeModel(buildModel(sources, { k: 4 }))).to.equal(text);
    const [first] = sources;
    expect(first).not.to.equal(undefined);
    if (first !== undefined) {
      expect(() => buildModel([first, first], { k: 4 })).to.throw(RangeError, 'ascending');
      expect(() => buildModel([{ ...first, partition: 1 }, first], { k: 4 })).to.throw(
        RangeError,
        'ascending',
      );
      expect(() => buildModel([{ ...first, region: first.region + 1 }, first], { k: 4 })).to.throw(
        RangeError,
      );
      const twice = buildModel([first, { ...first, partition: 1 }], { k: 4 });
      expect(twice.weight).to.equal(2 * first.tree.totalWeight());
    }
  });

  it('coarsens for the search, and for the clusters only above the bound', () => {
    const points = spherePoints(6000, 3);
    const sources = sourcesOf(points);
    const fine = buildModel(sources, { k: 6 });
    const searched = buildModel(sources, { k: 6, searchFeatures: 200 });
    const coarse = buildModel(sources, { k: 6, searchFeatures: 200, assignFeatures: 200 });
    for (const model of [searched, coarse]) {
      checkShape(model, 6000);
      expect(model.cost / fine.cost).to.be.within(0.97, 1.03);
    }
    expect(searched.cost).to.be.at.most(coarse.cost * 1.0001);
    const centers = coarse.clusters.map(({ center }) => center);
    expect(rawCost(points, centers) / coarse.cost).to.be.within(0.95, 1);
  });

  it('costs within 1 % of k-means over the raw points', () => {
    const points = cityPoints(50_000, 20, 77);
    const model = buildModel(sourcesOf(points), { k: 20 });
    checkShape(model, 50_000);
    const raw = finish(searchCenters(featuresOfPoints(points.x, points.y, points.z), { k: 20, seedings: 4 }));
    const cost = rawCost(
      points,
      model.clusters.map(({ center }) => center),
    );
    expect(cost / rawCost(points, vectors(raw.centers))).to.be.below(1.01);
    expect(model.cost / cost).to.be.within(1, 1.01);
  });
});

describe('the clusters of given centers', () => {
  it('leave out a center that wins no feature', () => {
    const { x, y, z } = pointsAt([
      [10, 50],
      [10, 50],
      [20, 40],
    ]);
    const centers = pointsAt([
      [-120, -30],
      [10, 50],
      [20, 40],
    ]);
    const { clusters, k } = finish(clustersOf(featuresOfPoints(x, y, z), 3, { count: 3, ...centers }));
    expect(k).to.equal(3);
    expect(clusters.map(({ id, weight }) => [id, weight])).to.deep.equal([
      [1, 2],
      [2, 1],
    ]);
  });

  it('stand in one order where weights are equal, whatever the order of the centers', () => {
    const places = [
      [30, 10],
      [-30, 10],
      [30, -10],
      [60, 0],
    ] as const;
    const { x, y, z } = pointsAt(places);
    const features = featuresOfPoints(x, y, z);
    for (const order of [places, [...places].reverse()]) {
      const { clusters } = finish(clustersOf(features, 4, { count: 4, ...pointsAt(order) }));
      const found = clusters.map(({ longitude, latitude }) => [Math.round(longitude), Math.round(latitude)]);
      expect(found).to.deep.equal([
        [60, 0],
        [-30, 10],
        [30, -10],
        [30, 10],
      ]);
    }
  });
});

describe('a model whose k the rows choose', () => {
  const range = { kMin: 2, kMax: 9 };
  const sources = sourcesOf(cityPoints(2_000, 6, 3));

  it('is the one of that k, with the curve and the reason', () => {
    const { kChoice, ...chosen } = buildModel(sources, { k: range, seedings: 12, seed: 3 });
    const { coarse } = finish(modelFeatures(sources, {}));
    const choice = finish(chooseK(coarse, { ...range, effectiveRows: 2_000, seedings: 12, seed: 3 }));
    expect([chosen.k, chosen.clusters.length]).to.deep.equal([choice.k, choice.k]);
    expect(chosen.cost / choice.cost).to.be.closeTo(1, 1e-9);
    const { curve, effectiveRows, reason } = choice;
    expect(kChoice).to.deep.equal({ reason, effectiveRows, curve });
  });

  it('is the same to the last bit again, however the work is sliced', () => {
    const steps = modelSteps(sources, { k: range });
    let step = steps.next();
    while (step.done !== true) {
      step = steps.next();
    }
    expect(serializeModel(step.value)).to.equal(serializeModel(buildModel(sources, { k: range })));
  });

  it('depends on how many independent rows there are, and on no unit of weight', () => {
    const counted = (factor: number): Model =>
      buildModel(
        sources.map((source) => ({ ...source, factor })),
        { k: range },
      );
    expect(counted(0.25).k).to.equal(counted(1).k);
    expect(counted(0.25).kChoice?.effectiveRows).to.equal(2_000);
    const uneven = sources.map((source, n) => ({ ...source, factor: n === 0 ? 1 : 1e-6 }));
    const few = buildModel(uneven, { k: range }).kChoice?.effectiveRows;
    expect(few).to.be.closeTo(sources[0]?.tree.totalWeight() as number, 1);
  });
});

describe('model files', () => {
  const model = buildModel(sourcesOf(cityPoints(500, 3, 1)), { k: 3 });
  const lagos = { name: 'Lagos', country: 'Nigeria', countryCode: 'NG', distanceKm: 3, text: 'near Lagos' };
  const named = {
    ...model,
    clusters: model.clusters.map((cluster, n) => ({ ...cluster, place: n === 0 ? lagos : null })),
  };

  it('reads back to the same bits from JSON, keys in their order', () => {
    const text = serializeModel(model);
    expect(JSON.parse(text)).to.deep.equal(model);
    expect(text.endsWith('}\n')).to.equal(true);
    expect(Object.keys(JSON.parse(text) as object)).to.deep.equal([
      'k',
      'weight',
      'cost',
      'costBounds',
      'kChoice',
      'clusters',
    ]);
    const { clusters, cost, costBounds, kChoice, k, weight } = model;
    const { curve, effectiveRows, reason } = kChoice as KRecord;
    const shuffled = { clusters, costBounds, cost, weight, kChoice: { curve, effectiveRows, reason }, k };
    expect(serializeModel(shuffled)).to.equal(text);
    const untold = { clusters, cost, costBounds, k, weight };
    expect(JSON.parse(serializeModel(untold))).to.deep.equal(untold);
  });

  it('tells of what a choice of k judged, and of the times a model is of', () => {
    const chosen = buildModel(sourcesOf(cityPoints(500, 3, 1)), { k: { kMin: 2, kMax: 4 } });
    const time = { from: null, to: null, watermark: null, rows: 500, halfLifeSeconds: null };
    const told = JSON.parse(serializeModel({ ...chosen, time })) as Model;
    expect(told).to.deep.equal({ ...chosen, time });
    expect(told.kChoice?.curve.map((point) => Object.keys(point))).to.deep.equal(
      Array.from({ length: 3 }, () => ['k', 'cost', 'bic']),
    );
    const placed = {
      ...chosen,
      time,
      clusters: chosen.clusters.map((cluster) => ({ ...cluster, place: null })),
    };
    expect(JSON.parse(serializeGeoJson(placed))).to.have.nested.property('model.time.rows', 500);
  });

  it('has the place of each cluster behind what is said of its rows, where the model has names', () => {
    expect(JSON.parse(serializeModel(named))).to.deep.equal(named);
    const [first] = (JSON.parse(serializeModel(named)) as typeof named).clusters;
    expect(Object.keys(first ?? {})).to.deep.equal([
      'id',
      'longitude',
      'latitude',
      'center',
      'weight',
      'share',
      'radiusKm',
      'place',
    ]);
  });

  it('is GeoJSON with longitude first', () => {
    const collection = JSON.parse(serializeGeoJson(named)) as {
      type: string;
      model: unknown;
      features: { type: string; id: number; geometry: unknown; properties: unknown }[];
    };
    expect(collection.type).to.equal('FeatureCollection');
    const { cost, costBounds, k, weight } = model;
    expect(collection.model).to.deep.equal({ k, weight, cost, costBounds });
    collection.features.forEach((feature, n) => {
      const cluster = model.clusters[n];
      expect(feature).to.deep.equal({
        type: 'Feature',
        id: cluster?.id,
        geometry: { type: 'Point', coordinates: [cluster?.longitude, cluster?.latitude] },
        properties: {
          id: cluster?.id,
          weight: cluster?.weight,
          share: cluster?.share,
          radiusKm: cluster?.radiusKm,
          place: n === 0 ? lagos : null,
        },
      });
    });
    expect(collection.features).to.have.length(3);
  });
});
