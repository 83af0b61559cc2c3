import { expect } from 'chai';
import fc from 'fast-check';
import type { ClusterEvent, LiveClusters } from '../../src/clustering/identity.ts';
import type { Centers } from '../../src/clustering/kmeans-passes.ts';
import { LayerCache } from '../../src/clustering/layer-cache.ts';
import {
  type LiveModel,
  type KnownClusters,
  liveModelSteps,
  searchBeside,
  type Unsearched,
} from '../../src/clustering/live-model.ts';
import { buildModel, type Cluster, type ModelOptions } from '../../src/clustering/model.ts';
import { createRandom } from '../../src/clustering/random.ts';
import { finish } from '../../src/clustering/slices.ts';
import { latitude, longitude } from '../../src/geo/axes.ts';
import { greatCircleKm, unitVector, type UnitVector } from '../../src/geo/sphere.ts';
import { cityPoints, type Points, pointsAt, sourcesOf, spherePoints } from './points.ts';

type Spot = readonly [east: number, north: number, rows: number];

const at = (east: number, north: number): UnitVector =>
  unitVector({ longitude: longitude(east), latitude: latitude(north) });

/** Rows around spots, within about 10 km. */
function crowd(spots: readonly Spot[], seed = 1): Points {
  const random = createRandom(seed);
  const jitter = (): number => 0.2 * (random() - 0.5);
  return pointsAt(
    spots.flatMap(([east, north, rows]) =>
      Array.from({ length: rows }, (): [number, number] => [east + jitter(), north + jitter()]),
    ),
  );
}

function live(points: Points, options: ModelOptions, before?: KnownClusters, found?: Centers): LiveModel {
  const candidate = found === undefined ? undefined : { centers: found };
  return finish(liveModelSteps(sourcesOf(points), { seedings: 4, ...options }, before, candidate));
}

/** Clusters of a live model with ids from `first` on, at so many degrees on the equator. */
function clustersAt(first: number, easts: readonly number[]): LiveClusters {
  const clusters = easts.map((east, n) => ({
    id: first + n,
    center: at(east, 0),
    radiusKm: 200,
    anchor: { longitude: longitude(0), latitude: latitude(0) },
  }));
  return { nextId: first + easts.length, clusters };
}

/** What the search beside a model finds that only followed the one before. */
function beside(model: LiveModel, options: ModelOptions): { centers: Centers; better: boolean } {
  const { better, candidate } = finish(
    searchBeside(model.unsearched as Unsearched, { seedings: 4, ...options }),
  );
  return { centers: candidate.centers, better };
}

function clusterEvents({ events }: Pick<LiveModel, 'events'>): readonly ClusterEvent[] {
  return events.filter((event) => event.type !== 'k-changed');
}

/** The cluster within 50 km of a place. */
function clusterNear(clusters: readonly Cluster[], [east, north]: Spot): Cluster | undefined {
  return clusters.find((one) => greatCircleKm(at(one.longitude, one.latitude), at(east, north)) < 50);
}

describe('a live model', () => {
  it('have their layers from the first one on', () => {
    const points = crowd([
      [0, 0, 60],
      [40, 0, 40],
    ]);
    const sources = sourcesOf(points);
    const cache = new LayerCache();
    const first = finish(liveModelSteps(sources, { k: 2 }, undefined, undefined, cache));
    expect(cache.sseBound).to.be.a('number');
    const [region] = finish(cache.regionsOf(sources));
    const second = finish(liveModelSteps(sources, { k: 2 }, first.live, undefined, cache));
    expect(finish(cache.regionsOf(sources))[0]).to.equal(region);
    expect(second.model.weight).to.equal(100);
    expect(first.model).to.deep.equal(finish(liveModelSteps(sources, { k: 2 }, undefined)).model);
  });

  it('without one before is the canonical one, each cluster born', () => {
    const points = cityPoints(3_000, 6, 2);
    const { events, live: state, model } = live(points, { k: 6 });
    expect(model).to.deep.equal(buildModel(sourcesOf(points), { k: 6, seedings: 4 }));
    expect(events).to.deep.equal(model.clusters.map(({ id }) => ({ type: 'born', id })));
    expect(state.nextId).to.equal(7);
  });

  it('of the same rows again is the same, and nothing has happened', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 9 }), fc.boolean(), (seed, k, wide) => {
        const points = wide ? spherePoints(700, seed) : cityPoints(700, 7, seed);
        const first = live(points, { k });
        const again = live(points, { k }, first.live);
        const weights = ({ model }: LiveModel): (readonly [number, number])[] =>
          model.clusters.map(({ id, weight }) => [id, weight] as const).sort((a, b) => a[0] - b[0]);
        expect(weights(again)).to.deep.equal(weights(first));
        expect(again.events).to.deep.equal([]);
        expect(again.live.nextId).to.equal(first.live.nextId);
        expect(again.model.cost / first.model.cost).to.be.closeTo(1, 1e-9);
      }),
      { numRuns: 25 },
    );
  });

  it('keeps the id of a cluster that wanders across the map and changes its rank', () => {
    const spotsAt = (turn: number): Spot[] => [
      [-30 + 3 * turn, 10, 300 + 20 * turn],
      [60, 40, 400],
      [100, -30, 350],
    ];
    let state = live(crowd(spotsAt(0)), { k: 3 });
    const [wanderer, second, third] = spotsAt(0).map((spot) => clusterNear(state.model.clusters, spot)?.id);
    const events = [];
    for (let turn = 1; turn <= 12; turn++) {
      const spots = spotsAt(turn);
      state = live(crowd(spots, turn), { k: 3 }, state.live);
      const ids = spots.map((spot) => clusterNear(state.model.clusters, spot)?.id);
      expect(ids).to.deep.equal([wanderer, second, third]);
      events.push(...state.events.filter(({ type }) => type !== 'moved'));
      expect(state.events).to.deep.include.members([
        { ...clusterEvents(state).find(({ id }) => id === wanderer), type: 'moved' },
      ]);
    }
    expect(events).to.deep.equal([]);
    // It began as the lightest.
    expect(wanderer).to.equal(3);
    expect(state.model.clusters[0]?.id).to.equal(wanderer);
  });

  it('tells of the clusters that split, merge, come and go', () => {
    const towns: Spot[] = [
      [0, 0, 400],
      [20, 0, 300],
      [90, 20, 200],
    ];
    const three = live(crowd(towns), { k: 3 });
    const merged = live(crowd(towns), { k: 2 }, three.live);
    expect(merged.events.find(({ type }) => type === 'merged')).to.deep.equal({
      type: 'merged',
      id: 2,
      into: 1,
    });
    const split = live(crowd(towns), { k: 3 }, merged.live);
    expect(split.events.find(({ type }) => type === 'split')).to.deep.equal({
      type: 'split',
      id: 4,
      from: 1,
    });
    expect(split.model.clusters.map(({ id }) => id)).to.deep.equal([1, 4, 3]);
    // A town is forgotten, and a greater one appears at the other end of the world.
    const elsewhere: Spot[] = [
      [0, 0, 400],
      [20, 0, 300],
      [-150, -60, 500],
    ];
    const gone = live(crowd(elsewhere), { k: 3 }, split.live);
    const ids = elsewhere.map((spot) => clusterNear(gone.model.clusters, spot)?.id);
    expect(ids).to.deep.equal([1, 4, 5]);
    expect(clusterEvents(gone).map(({ id, type }) => [id, type])).to.deep.equal([
      [3, 'died'],
      [5, 'born'],
    ]);
  });

  it('never gives an id twice, whatever becomes of rows and k', () => {
    const turns = fc.record({
      k: fc.integer({ min: 1, max: 7 }),
      rows: fc.integer({ min: 0, max: 120 }),
      seed: fc.integer(),
      few: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(turns, { minLength: 2, maxLength: 7 }), (all) => {
        let before: LiveClusters | undefined;
        let known = new Set<number>();
        for (const { k, rows, seed, few } of all) {
          const points = few ? crowd([[seed % 90, 10, rows]], seed) : spherePoints(rows, seed);
          const { live: state, model } = live(points, { k, seedings: 1 }, before);
          const ids = model.clusters.map(({ id }) => id);
          const fresh = ids.filter((id) => before?.clusters.every((one) => one.id !== id) ?? true);
          expect(fresh.filter((id) => known.has(id))).to.deep.equal([]);
          expect(new Set(ids).size).to.equal(ids.length);
          known = new Set([...known, ...ids]);
          expect(Math.max(0, ...known)).to.be.below(state.nextId);
          if (rows > 0) {
            expect(state.clusters.map(({ id }) => id)).to.deep.equal(ids);
          }
          before = state;
        }
      }),
      { numRuns: 60 },
    );
  });

  it('of no rows remembers the clusters there were', () => {
    const before = live(cityPoints(100, 3, 1), { k: 3 }).live;
    const { events, live: state, model } = live(pointsAt([]), { k: 3 }, before);
    expect([model.clusters, events, state]).to.deep.equal([[], [], before]);
    const first = live(pointsAt([]), { k: 3 });
    const { kChoice, ...remembered } = first.live;
    expect(remembered).to.deep.equal({ nextId: 1, clusters: [], k: 3 });
    expect(kChoice?.reason).to.equal('k = 3 is fixed by clustering.k');
    expect(live(cityPoints(100, 3, 1), { k: 3 }, first.live).events).to.have.length(3);
  });

  it('goes on with the heaviest when k becomes less, and with all when it becomes more', () => {
    const points = cityPoints(2_000, 8, 3);
    const eight = live(points, { k: 8 });
    const two = live(points, { k: 2 }, eight.live);
    expect(two.model.clusters.every(({ id }) => id < eight.live.nextId)).to.equal(true);
    const more = live(points, { k: 5 }, two.live);
    expect(more.model.clusters.map(({ id }) => id)).to.include.members(
      two.model.clusters.map(({ id }) => id),
    );
  });

  it('keeps the centers unless others cost less by more than 1 %', () => {
    // Uniform on the sphere there are many solutions, some nearly equally good.
    const points = spherePoints(1_500, 9);
    const options = { k: 6, seed: 99, seedings: 1 };
    const cold = buildModel(sourcesOf(points), options);
    const decided = { keptThoughBetterWasFound: 0, left: 0 };
    for (let seed = 0; seed < 16; seed++) {
      const before = live(points, options, live(spherePoints(6, seed), options).live);
      const followed = live(points, options, before.live);
      expect(followed.model.cost / before.model.cost).to.be.closeTo(1, 1e-9);
      const { better, centers } = beside(followed, options);
      const next = live(points, options, followed.live, centers);
      expect(better).to.equal(cold.cost < 0.99 * before.model.cost);
      if (better) {
        decided.left++;
        expect(next.model.cost / cold.cost).to.be.closeTo(1, 1e-12);
        // Once taken there is nothing left to find.
        expect(beside(next, options).better).to.equal(false);
      } else {
        decided.keptThoughBetterWasFound += cold.cost < 0.999 * before.model.cost ? 1 : 0;
        expect(next.model.cost / before.model.cost).to.be.closeTo(1, 1e-9);
        expect(next.events).to.deep.equal([]);
      }
    }
    expect(decided.keptThoughBetterWasFound, 'of 16 kept though a better one was found').to.be.at.least(1);
    expect(decided.left, 'of 16 left').to.be.at.least(1);
  });

  it('leaves a poor solution that Lloyd does not find out of', () => {
    const points = crowd([
      [0, 0, 300],
      [3, 0, 300],
      [90, 0, 300],
    ]);
    const poor = clustersAt(5, [1.5, 89.97, 90.03]);
    const followed = live(points, { k: 3 }, poor);
    expect(followed.model.clusters.map(({ weight }) => weight)).to.not.deep.equal([300, 300, 300]);
    const { events, model } = live(points, { k: 3 }, followed.live, beside(followed, { k: 3 }).centers);
    expect(model.clusters.map(({ weight }) => weight)).to.deep.equal([300, 300, 300]);
    expect(events.map(({ type }) => type))
      .to.include('split')
      .and.to.include('merged');
  });

  it('judges what was found at other rows by those of now', () => {
    const wide: Spot[] = [
      [0, 0, 300],
      [3, 0, 300],
      [90, 0, 300],
    ];
    const poor = clustersAt(1, [1.5, 89.97, 90.03]);
    const { better, centers } = beside(live(crowd(wide), { k: 3 }, poor), { k: 3 });
    expect(better).to.equal(true);
    // Since then the two towns next to each other are as good as empty, and the third one has become two.
    const turned = crowd([
      [0, 0, 3],
      [88, 0, 3_000],
      [92, 0, 3_000],
    ]);
    const without = live(turned, { k: 3 }, poor);
    const judged = live(turned, { k: 3 }, poor, centers);
    expect(judged).to.deep.equal(without);
    expect(
      live(crowd(wide), { k: 3 }, poor, centers).model.clusters.map(({ weight }) => weight),
    ).to.deep.equal([300, 300, 300]);
  });

  it('keeps the ids of the clusters that the search beside it found again', () => {
    // Of four towns two share a cluster, and one has two.
    const towns: Spot[] = [
      [0, 0, 300],
      [3, 0, 310],
      [60, 0, 420],
      [120, 0, 530],
    ];
    const poor = clustersAt(11, [1.5, 60, 119.97, 120.03]);
    const followed = live(crowd(towns), { k: 4 }, poor);
    const found = beside(followed, { k: 4 }).centers;
    const next = live(crowd(towns), { k: 4 }, followed.live, found);
    const { model } = next;
    expect(clusterNear(model.clusters, towns[2] as Spot)?.id).to.equal(12);
    expect(clusterEvents(next).map(({ id }) => id)).to.not.include(12);
    expect(model.clusters.map(({ weight }) => weight)).to.deep.equal([530, 420, 310, 300]);
    expect(model.clusters.filter(({ id }) => id < poor.nextId)).to.have.length(3);
  });

  it('leaves no search to be made beside it where it made one: first, and when k has changed', () => {
    const points = cityPoints(1_000, 6, 4);
    const first = live(points, { k: 4 });
    expect(first.unsearched).to.equal(undefined);
    expect(live(points, { k: 5 }, first.live).unsearched).to.equal(undefined);
    expect(live(points, { k: 4 }, first.live).unsearched?.features.count).to.be.above(0);
    // Where k became less meanwhile, what was found for more is no candidate.
    const { centers } = beside(live(points, { k: 4 }, first.live), { k: 4 });
    const three = live(points, { k: 3 }, first.live);
    expect(live(points, { k: 3 }, three.live, centers)).to.deep.equal(live(points, { k: 3 }, three.live));
  });

  it('gives the same ids whatever the order of the clusters before', () => {
    const points = cityPoints(3_000, 9, 6);
    const before = live(points, { k: 9 }).live;
    const shuffled = { ...before, clusters: [...before.clusters].reverse() };
    const later = cityPoints(4_000, 9, 6);
    const ids = (state: LiveClusters): (readonly [number, number])[] =>
      live(later, { k: 9 }, state).model.clusters.map(({ id, weight }) => [id, weight] as const);
    expect(ids(shuffled)).to.deep.equal(ids(before));
  });
});
