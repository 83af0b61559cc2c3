import { expect } from 'chai';
import fc from 'fast-check';
import { buildModel, type Model } from '../../src/clustering/model.ts';
import { parseModel } from '../../src/clustering/model-file.ts';
import { allocatePredictions, predict, Predictor } from '../../src/clustering/predict.ts';
import { serializeModel } from '../../src/clustering/geojson.ts';
import { latitude, longitude } from '../../src/geo/axes.ts';
import { EARTH_RADIUS_KM } from '../../src/geo/sphere.ts';
import { named, placeCalled } from './named.ts';
import { pointsAt, sourcesOf, spherePoints } from './points.ts';
import { positionsEverywhere, type Spot } from './positions.ts';

const RADIANS = Math.PI / 180;

/** The angle of two positions in degrees by the law of haversines, and its distance in km. */
function haversineKm([aEast, aNorth]: Spot, [bEast, bNorth]: Spot): number {
  const north = Math.sin(((bNorth - aNorth) * RADIANS) / 2) ** 2;
  const east = Math.sin(((bEast - aEast) * RADIANS) / 2) ** 2;
  const h = north + Math.cos(aNorth * RADIANS) * Math.cos(bNorth * RADIANS) * east;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(h)));
}

/** Squared distances of a position to each center, in R^3. */
function distancesTo({ clusters }: Model, [east, north]: Spot): readonly number[] {
  const flat = Math.cos(north * RADIANS);
  const point = [flat * Math.cos(east * RADIANS), flat * Math.sin(east * RADIANS), Math.sin(north * RADIANS)];
  return clusters.map(({ center }) =>
    center.reduce((sum, value, axis) => sum + ((point[axis] as number) - value) ** 2, 0),
  );
}

function modelOf(spots: readonly Spot[], k: number): Model {
  return buildModel(sourcesOf(pointsAt(spots)), { k });
}

describe('predict', () => {
  for (const k of [2, 5, 40]) {
    it(`tells what brute force over the centers tells, for 100,000 positions and k = ${String(k)}`, function () {
      this.timeout(120_000);
      const model = buildModel(sourcesOf(spherePoints(3_000, k)), { k, seedings: 1 });
      expect(model.clusters).to.have.lengthOf(k);
      const spots = positionsEverywhere(100_000, 7);
      const out = allocatePredictions(spots.length);
      new Predictor(model).fill(
        Float64Array.from(spots, ([east]) => east),
        Float64Array.from(spots, ([, north]) => north),
        out,
        0,
        spots.length,
      );
      let different = 0;
      let farthest = 0;
      spots.forEach((spot, row) => {
        const distances = distancesTo(model, spot);
        const order = [...distances.keys()].sort(
          (a, b) => (distances[a] as number) - (distances[b] as number),
        );
        const [first, second] = order as [number, number];
        // Two ways to compute a cosine differ in the last bits: what is nearer by less is as near.
        const told = out.cluster[row] as number;
        different += Number((distances[told] as number) - (distances[first] as number) > 1e-14);
        const [a, b] = [told, told === first ? second : first].map((index) => {
          const cluster = model.clusters[index] as Model['clusters'][number];
          return haversineKm(spot, [cluster.longitude, cluster.latitude]);
        }) as [number, number];
        farthest = Math.max(farthest, Math.abs((out.distanceKm[row] as number) - a));
        farthest = Math.max(farthest, Math.abs((out.marginKm[row] as number) - (b - a)));
      });
      expect(different).to.equal(0);
      // The haversine formula loses half of the digits at antipodes: 0.2 m.
      expect(farthest).to.be.below(2e-4);
    });
  }

  it('one by one and in columns gives the same, from any index to any', () => {
    const model = buildModel(sourcesOf(spherePoints(500, 3)), { k: 7 });
    const spots = positionsEverywhere(2_500, 3);
    const [easts, norths] = [0, 1].map((axis) => Float64Array.from(spots, (spot) => spot[axis] as number));
    const predictor = new Predictor(model);
    const out = allocatePredictions(spots.length);
    out.cluster.fill(-7);
    predictor.fill(easts as Float64Array, norths as Float64Array, out, 100, 2_400);
    expect([out.cluster[99], out.cluster[2_400]]).to.deep.equal([-7, -7]);
    for (let row = 100; row < 2_400; row++) {
      const [east, north] = spots[row] as Spot;
      expect(predictor.at(out, row)).to.deep.equal(predict(model, east, north));
    }
  });

  it('the meridians 180 and -180 are one, and at a pole all are', () => {
    const model = buildModel(sourcesOf(spherePoints(500, 4)), { k: 12 });
    fc.assert(
      fc.property(
        fc.double({ min: -90, max: 90, noNaN: true }),
        fc.double({ min: -180, max: 180, noNaN: true }),
        (north, east) => {
          expect(predict(model, 180, north)).to.deep.equal(predict(model, -180, north));
          expect(predict(model, east, 90)).to.deep.equal(predict(model, 0, 90));
          expect(predict(model, east, -90)).to.deep.equal(predict(model, 0, -90));
        },
      ),
    );
  });

  it('goes by the centers that k-means goes by, not by the map: a wide cluster begins closer to a narrow one', () => {
    const town = { id: 1, longitude: longitude(0), latitude: latitude(0), center: [1, 0, 0] } as const;
    const continent = {
      id: 2,
      longitude: longitude(90),
      latitude: latitude(0),
      center: [0, 0.5, 0],
    } as const;
    // The border is where cos t - sin t / 2 = 3 / 8.
    const { distanceKm, id, marginKm } = predict({ clusters: [town, continent] }, 44, 0);
    expect(id).to.equal(2);
    expect(distanceKm).to.be.closeTo(haversineKm([44, 0], [90, 0]), 1e-6);
    expect(marginKm).to.be.closeTo(-2 * haversineKm([0, 0], [1, 0]), 1e-6);
    expect(predict({ clusters: [town, continent] }, 43, 0).id).to.equal(1);
  });

  it('of centers that are equally near tells the first', () => {
    const model = modelOf(
      [
        [10, 0],
        [-10, 0],
        [-10, 0],
      ],
      2,
    );
    expect(predict(model, 0, 0)).to.include({ id: 1, longitude: -10 });
    const turned = { clusters: [...model.clusters].reverse() };
    expect(predict(turned, 0, 0)).to.include({ id: 2, longitude: 10 });
  });

  it('with one cluster has no margin, and tells the place where the model knows one', () => {
    const model = modelOf([[2.35, 48.86]], 1);
    expect(predict(model, 55, 45).place).to.equal(null);
    const place = placeCalled('near Paris, France');
    const placed = named(model, place);
    expect(predict(placed, 2.35, 48.86)).to.deep.equal({
      id: 1,
      longitude: model.clusters[0]?.longitude,
      latitude: model.clusters[0]?.latitude,
      place,
      distanceKm: 0,
      marginKm: null,
    });
  });

  it('refuses what is no position, and a model that has no clusters', () => {
    const model = modelOf([[0, 0]], 1);
    expect(() => predict(model, 180.1, 0)).to.throw(RangeError, 'longitude 180.1 is out of range');
    expect(() => predict(model, 45, 122.3)).to.throw(RangeError, 'latitude 122.3 is out of range');
    expect(() => predict(model, Number.NaN, 0)).to.throw(RangeError, 'longitude NaN');
    expect(() => predict({ clusters: [] }, 0, 0)).to.throw(RangeError, 'the model has no clusters');
    const out = allocatePredictions(2);
    new Predictor(model).fill(Float64Array.of(Number.NaN, 0), Float64Array.of(0, Infinity), out, 0, 2);
    expect([...out.cluster]).to.deep.equal([-1, -1]);
    expect([...out.distanceKm, ...out.marginKm]).to.deep.equal([NaN, NaN, NaN, NaN]);
  });
});

describe('the text of a model', () => {
  const model = (): Model => ({
    ...buildModel(sourcesOf(spherePoints(300, 8)), { k: 4 }),
    time: { from: null, to: '2026-01-01T00:00:00.000Z', watermark: null, rows: 300, halfLifeSeconds: 7_200 },
  });

  it('reads back to the same bits, with what is not known kept', () => {
    for (const written of [
      model(),
      buildModel(sourcesOf(spherePoints(300, 9)), { k: 4 }),
      buildModel([], { k: 3 }),
    ]) {
      expect(parseModel(serializeModel(written))).to.deep.equal(named(written));
      const placed = named(written, placeCalled('near Paris, France'));
      expect(parseModel(serializeModel(placed))).to.deep.equal(placed);
    }
    const more = { ...named(model()), later: { version: 2 } };
    expect(parseModel(JSON.stringify(more))).to.deep.equal(more);
  });

  const broken: readonly (readonly [string, (plain: Model) => unknown, string])[] = [
    ['no object', () => [], 'Invalid input: expected object'],
    ['no clusters', ({ clusters: _, ...rest }) => rest, 'clusters: '],
    ['k of 0', (plain) => ({ ...plain, k: 0 }), 'k: '],
    ['a weight below 0', (plain) => ({ ...plain, weight: -1 }), 'weight: '],
    [
      'a time without its rows',
      (plain) => ({ ...plain, time: { ...plain.time, rows: null } }),
      'time: rows: ',
    ],
    [
      'a center of two numbers',
      (plain) => ({ ...plain, clusters: [{ ...plain.clusters[0], center: [0, 0] }] }),
      'clusters: 0: center: ',
    ],
    [
      'a longitude that is none',
      (plain) => ({ ...plain, clusters: [{ ...plain.clusters[0], longitude: 181 }] }),
      'clusters: 0: longitude: expected degrees in [-180, 180]',
    ],
    [
      'a latitude in words',
      (plain) => ({ ...plain, clusters: [{ ...plain.clusters[0], latitude: '45' }] }),
      'clusters: 0: latitude: expected degrees in [-90, 90]',
    ],
  ];
  for (const [name, change, message] of broken) {
    it(`is refused with ${name}, and says where`, () => {
      expect(() => parseModel(JSON.stringify(change(model())))).to.throw(`it is not a model: ${message}`);
    });
  }

  it('is refused when it is no JSON', () => {
    expect(() => parseModel('k: 5')).to.throw(/^it is not JSON: /);
  });

  it('has axes of its own types', () => {
    const [first] = parseModel(serializeModel(model())).clusters;
    expect([longitude(first?.longitude ?? NaN), latitude(first?.latitude ?? NaN)]).to.deep.equal([
      first?.longitude,
      first?.latitude,
    ]);
  });
});
