import { expect } from 'chai';
import fc from 'fast-check';
import {
  type ClusterEvent,
  type Flow,
  type LiveClusters,
  succeed,
  type Succession,
} from '../../src/clustering/identity.ts';
import type { Cluster } from '../../src/clustering/model.ts';
import { finish } from '../../src/clustering/slices.ts';
import { latitude, longitude } from '../../src/geo/axes.ts';
import { unitVector } from '../../src/geo/sphere.ts';

function clusterAt(east: number, radiusKm = 100): Cluster {
  const position = { longitude: longitude(east), latitude: latitude(0) };
  return { id: 0, ...position, center: unitVector(position), weight: 1, share: 1, radiusKm };
}

const clustersAt = (...easts: number[]): Cluster[] => easts.map((east) => clusterAt(east));

/** Flows as a matrix: a row for each cluster before, a column for each new one; negative: of far rows. */
const flowsOf = (matrix: readonly (readonly number[])[]): Flow[] =>
  matrix.flatMap((row, left) =>
    row
      .map((weight, right) => ({ left, right, near: Math.max(0, weight), far: Math.max(0, -weight) }))
      .filter(({ far, near }) => near + far > 0),
  );

function after(
  before: LiveClusters | undefined,
  clusters: readonly Cluster[],
  matrix: readonly (readonly number[])[] = [],
): Succession {
  return finish(succeed(before, clusters, flowsOf(matrix)));
}

const eventsOf = (type: ClusterEvent['type'], { events }: Succession): number[] =>
  events.filter((event) => event.type === type).map(({ id }) => id);

describe('the ids of clusters', () => {
  const three = after(undefined, clustersAt(0, 10, 20));

  it('are the ranks in the first live model', () => {
    expect(three.ids).to.deep.equal([1, 2, 3]);
    expect(three.live.nextId).to.equal(4);
    expect(three.events).to.deep.equal([1, 2, 3].map((id) => ({ type: 'born', id })));
    expect(three.live.clusters.map(({ anchor }) => anchor.longitude)).to.deep.equal([0, 10, 20]);
  });

  it('stay with the rows when the order changes', () => {
    const next = after(three.live, clustersAt(20, 0, 10), [
      [0, 50, 0],
      [0, 1, 40],
      [60, 0, 0],
    ]);
    expect(next.ids).to.deep.equal([3, 1, 2]);
    expect(next.events).to.deep.equal([]);
    expect(next.live).to.deep.equal({
      nextId: 4,
      clusters: [2, 0, 1].map((index) => three.live.clusters[index]),
    });
  });

  it('of a cluster that is cut in two: the heavier part keeps it, the other is split from it', () => {
    const next = after(three.live, clustersAt(0, 4, 10, 20), [
      [30, 50, 0, 0],
      [0, 0, 40, 0],
      [0, 0, 0, 60],
    ]);
    expect(next.ids).to.deep.equal([4, 1, 2, 3]);
    expect(next.events).to.deep.include.members([{ type: 'split', id: 4, from: 1 }]);
    expect(next.live.nextId).to.equal(5);
  });

  it('of clusters that become one: the heavier one goes on, the other merged into it', () => {
    const next = after(three.live, clustersAt(0, 15), [
      [50, 0],
      [0, 40],
      [0, 60],
    ]);
    expect(next.ids).to.deep.equal([1, 3]);
    expect(next.events).to.deep.include.members([{ type: 'merged', id: 2, into: 3 }]);
  });

  it('end where no rows are left or most go several ways; what comes from several ways is born', () => {
    const next = after(three.live, clustersAt(0, 20, 40), [
      [50, 0, 10],
      [0, 0, 0],
      [0, 60, 10],
    ]);
    expect(next.ids).to.deep.equal([1, 3, 4]);
    expect(next.events).to.deep.include.members([
      { type: 'died', id: 2 },
      { type: 'born', id: 4 },
    ]);
    const scattered = after(three.live, clustersAt(0, 20, 40, 60), [
      [50, 0, 0, 0],
      [10, 0, 10, 10],
      [0, 60, 15, 15],
    ]);
    expect(eventsOf('died', scattered)).to.deep.equal([2]);
  });

  it('do not go on along a small share of the rows of both', () => {
    const one = after(undefined, clustersAt(0, 10));
    // Index 1 would be left without a partner otherwise: a third of its rows, and of those of the new one.
    const next = after(one.live, clustersAt(0, 30), [
      [90, 20],
      [20, 10],
    ]);
    expect(next.ids).to.deep.equal([1, 3]);
    expect(next.events).to.deep.equal([
      { type: 'merged', id: 2, into: 1 },
      { type: 'split', id: 3, from: 1 },
    ]);
  });

  it('do not go to a crowd that appears far away, unless the cluster is nowhere else', () => {
    const one = after(undefined, clustersAt(0, 10));
    const next = after(one.live, clustersAt(0, 10, 150), [
      [50, 0, -90_000],
      [0, 40, -100],
    ]);
    expect(next.ids).to.deep.equal([1, 2, 3]);
    expect(next.events).to.deep.equal([{ type: 'born', id: 3 }]);
    const jumped = after(one.live, clustersAt(150, 10), [
      [-90, 0],
      [0, 40],
    ]);
    expect(jumped.ids).to.deep.equal([1, 2]);
    expect(eventsOf('moved', jumped)).to.deep.equal([1]);
    // All that is nearest to it is far away and belongs to another: it is gone.
    const gone = after(one.live, clustersAt(12), [[-90], [40]]);
    expect(gone.events).to.deep.include.members([{ type: 'died', id: 1 }]);
  });

  it('are never given twice, however often clusters come and go', () => {
    let now = three;
    for (let turn = 0; turn < 5; turn++) {
      const fewer = after(now.live, clustersAt(0), [[50], [40], [60]]);
      now = after(fewer.live, clustersAt(0, 10, 20), [[50, 40, 30]]);
    }
    expect(now.live.nextId).to.equal(14);
    expect(new Set(now.ids).size).to.equal(3);
  });

  it('tell of a move once it adds up to a tenth of the radius, and begin anew from there', () => {
    const one = after(undefined, [clusterAt(0, 100)]);
    // A degree at the equator is 111.2 km.
    const bit = after(one.live, [clusterAt(0.06, 100)], [[5]]);
    expect(bit.events).to.deep.equal([]);
    const moved = after(bit.live, [clusterAt(0.12, 100)], [[5]]);
    expect(moved.ids).to.deep.equal([1]);
    expect(moved.events.map(({ type, id }) => [type, id])).to.deep.equal([['moved', 1]]);
    expect((moved.events[0] as { km: number }).km).to.be.closeTo(13.34, 0.01);
    expect(after(moved.live, [clusterAt(0.15, 100)], [[5]]).events).to.deep.equal([]);
    // Without a radius rounding is no move.
    const point = after(undefined, [clusterAt(0, 0)]);
    expect(after(point.live, [clusterAt(1e-9, 0)], [[5]]).events).to.deep.equal([]);
    expect(after(point.live, [clusterAt(1e-4, 0)], [[5]]).events).to.have.length(1);
  });

  it('account for every cluster, whatever the flows', () => {
    const model = fc.array(fc.integer({ min: -170, max: 170 }), { minLength: 1, maxLength: 6 });
    const weights = fc.array(fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 6, maxLength: 6 }), {
      minLength: 6,
      maxLength: 6,
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(model, weights), { minLength: 1, maxLength: 8 }), (models) => {
        let before: LiveClusters | undefined;
        const everyId = new Set<number>();
        for (const [easts, matrix] of models) {
          const old = before?.clusters.map(({ id }) => id) ?? [];
          const flows = matrix.slice(0, old.length).map((row) => row.slice(0, easts.length));
          const next = after(before, clustersAt(...easts), flows);
          const { ids, live } = next;
          expect(new Set(ids).size, 'ids differ').to.equal(easts.length);
          expect(live.clusters.map(({ id }) => id)).to.deep.equal(ids);
          const added = ids.filter((id) => !old.includes(id));
          const ended = old.filter((id) => !ids.includes(id));
          expect(added.filter((id) => everyId.has(id))).to.deep.equal([], 'used before');
          expect(added.every((id) => id < live.nextId && id >= (before?.nextId ?? 1))).to.equal(true);
          const told = [...eventsOf('born', next), ...eventsOf('split', next)];
          expect(told.sort()).to.deep.equal(added.sort());
          const gone = [...eventsOf('died', next), ...eventsOf('merged', next)];
          expect(gone.sort()).to.deep.equal(ended.sort());
          expect(eventsOf('moved', next).every((id) => old.includes(id) && ids.includes(id))).to.equal(true);
          const order = next.events.map(({ id }) => id);
          expect(order).to.deep.equal([...order].sort((a, b) => a - b));
          ids.forEach((id) => everyId.add(id));
          before = live;
        }
      }),
      { numRuns: 200 },
    );
  });
});
