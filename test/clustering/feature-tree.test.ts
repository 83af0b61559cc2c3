import { expect } from 'chai';
import fc from 'fast-check';
import { FoldError, InvalidPointError } from '../../src/clustering/features.ts';
import { FeatureTree } from '../../src/clustering/feature-tree.ts';
import { createRandom } from '../../src/clustering/random.ts';
import { regionAddress, regionOf } from '../../src/geo/s2.ts';
import { cityPoints, type Points, pointsAt, spherePoints, within } from './points.ts';

type Feature = readonly [weight: number, x: number, y: number, z: number, sse: number];

function featuresOf(tree: FeatureTree): Feature[] {
  const list: Feature[] = [];
  tree.forEachFeature((...feature) => list.push(feature));
  return list;
}

function treeOf(points: Points, limit: number): FeatureTree {
  const tree = new FeatureTree('sphere', limit);
  tree.insertColumns(points.x, points.y, points.z, 0, points.x.length);
  return tree;
}

/** Weight, mean and SSE of raw points, in two plain passes. */
function bruteForce({ x, y, z }: Points): Feature {
  const n = x.length;
  const mean = (column: Float64Array): number => column.reduce((sum, value) => sum + value / n, 0);
  const [mx, my, mz] = [mean(x), mean(y), mean(z)];
  let sse = 0;
  for (let row = 0; row < n; row++) {
    sse += ((x[row] as number) - mx) ** 2 + ((y[row] as number) - my) ** 2 + ((z[row] as number) - mz) ** 2;
  }
  return [n, mx, my, mz, sse];
}

/** All features as one, summed in an order of its own. */
function merged(features: readonly Feature[]): Feature {
  const weight = features.reduce((sum, f) => sum + f[0], 0);
  const mean = (axis: 1 | 2 | 3): number => features.reduce((sum, f) => sum + (f[0] / weight) * f[axis], 0);
  const [mx, my, mz] = [mean(1), mean(2), mean(3)];
  const sse = features.reduce(
    (sum, f) => sum + f[4] + f[0] * ((f[1] - mx) ** 2 + (f[2] - my) ** 2 + (f[3] - mz) ** 2),
    0,
  );
  return [weight, mx, my, mz, sse];
}

const cities = cityPoints(20_000, 12, 3);

describe('FeatureTree', () => {
  it('is the same to the byte however the points are cut into batches, with restores anywhere', () => {
    const whole = treeOf(cities, 300).encode();
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(19_999), fc.boolean()), { maxLength: 12 }), (cuts) => {
        let tree = new FeatureTree('sphere', 300);
        let from = 0;
        for (const [to, restore] of [...cuts].sort((a, b) => a[0] - b[0])) {
          tree.insertColumns(cities.x, cities.y, cities.z, from, to);
          from = to;
          if (restore) {
            tree = FeatureTree.decode(tree.encode());
          }
        }
        tree.insertColumns(cities.x, cities.y, cities.z, from, 20_000);
        expect(Buffer.compare(tree.encode(), whole)).to.equal(0);
      }),
      { numRuns: 25 },
    );
  });

  it('is the same to the byte when it is restored after every single point', () => {
    const points = spherePoints(400, 9);
    let tree = new FeatureTree('sphere', 20);
    for (let row = 0; row < 400; row++) {
      tree.insertColumns(points.x, points.y, points.z, row, row + 1);
      tree = FeatureTree.decode(tree.encode());
    }
    expect(Buffer.compare(tree.encode(), treeOf(points, 20).encode())).to.equal(0);
  });

  it('depends on the order of the points', () => {
    const reversed = { x: cities.x.toReversed(), y: cities.y.toReversed(), z: cities.z.toReversed() };
    expect(Buffer.compare(treeOf(reversed, 300).encode(), treeOf(cities, 300).encode())).not.to.equal(0);
  });

  it('never keeps more features than its limit, and loses no weight, mean or SSE', () => {
    fc.assert(
      fc.property(fc.integer({ min: 8, max: 60 }), fc.integer(), fc.boolean(), (limit, seed, wide) => {
        const points = wide ? spherePoints(500, seed) : cityPoints(500, 5, seed);
        const tree = new FeatureTree('sphere', limit);
        for (let row = 0; row < 500; row++) {
          tree.insert(points.x[row] as number, points.y[row] as number, points.z[row] as number);
          expect(tree.count).to.be.at.most(limit);
        }
        const expected = bruteForce(points);
        const actual = merged(featuresOf(tree));
        expect(tree.totalWeight()).to.equal(500);
        for (const axis of [1, 2, 3] as const) {
          expect(actual[axis]).to.be.closeTo(expected[axis], 1e-13);
        }
        expect(actual[4] / expected[4]).to.be.closeTo(1, 1e-10);
      }),
      { numRuns: 40 },
    );
  });

  it('keeps every SSE within the threshold', () => {
    const tree = treeOf(cities, 200);
    expect(tree.threshold).to.be.above(0);
    for (const feature of featuresOf(tree)) {
      expect(feature[4]).to.be.at.most(tree.threshold);
    }
  });

  it('keeps the centimetre: SSE of points 1 cm apart is right to seven digits', () => {
    const step = 1e-7;
    const points = pointsAt(
      Array.from({ length: 1000 }, (_, n) => [8.5 + (n % 10) * step, 47.3 + (n % 7) * step]),
    );
    const tree = treeOf(points, 8);
    const expected = bruteForce(points);
    expect(merged(featuresOf(tree))[4] / expected[4]).to.be.closeTo(1, 1e-5);
    expect(tree.totalWeight()).to.equal(1000);
  });

  it('merges identical points exactly', () => {
    const points = pointsAt(Array.from({ length: 3000 }, () => [8.123, 47.456]));
    const tree = treeOf(points, 8);
    expect(featuresOf(tree)).to.deep.equal([
      [3000, points.x[0] as number, points.y[0] as number, points.z[0] as number, 0],
    ]);
  });

  it('keeps few distinct points exact: poles, antimeridian, antipodes, neighbours at 10 cm', () => {
    const places: [number, number][] = [
      [0, 90],
      [0, -90],
      [180, 12],
      [-180, 12],
      [179.999, 12],
      [10, 20],
      [-170, -20],
      [10.000001, 20],
    ];
    const rows = Array.from({ length: 4000 }, (_, n) => places[(n * 7) % 8] as [number, number]);
    const tree = treeOf(pointsAt(rows), 200);
    const weights = new Map<string, number>();
    for (const [weight, x, y, z, sse] of featuresOf(tree)) {
      expect(sse).to.equal(0);
      const key = [x, y, z].join();
      weights.set(key, (weights.get(key) ?? 0) + weight);
    }
    expect([...weights.values()].sort((a, b) => a - b)).to.deep.equal([500, 500, 500, 500, 500, 500, 1000]);
  });

  it('ends where points differ by less than the deepest cell, and where every face is one feature', () => {
    const random = createRandom(5);
    const near = Array.from({ length: 500 }, (): [number, number] => [random() * 1e-12, random() * 1e-12]);
    expect(treeOf(pointsAt(near), 8).totalWeight()).to.equal(500);
    const deep = treeOf(pointsAt(near), 200);
    // One feature a level, 0 to 30; the deepest takes all the rest.
    expect([deep.count, deep.threshold, deep.totalWeight()]).to.deep.equal([31, 0, 500]);
    const opposite = Array.from({ length: 600 }, (_, n): [number, number] => [
      ((n % 4) * 90 + random()) % 180,
      n % 3 === 0 ? 89 + random() : random(),
    ]);
    expect(treeOf(pointsAt(opposite), 8).count).to.be.within(1, 8);
  });

  it('names the row that cannot be folded; those before it are in, and it left no trace', () => {
    const good = treeOf({ x: cities.x.slice(0, 77), y: cities.y.slice(0, 77), z: cities.z.slice(0, 77) }, 50);
    for (const bad of [Number.NaN, Infinity, -Infinity, 0, 2]) {
      const x = cities.x.slice(0, 100);
      x[77] = bad;
      const tree = new FeatureTree('sphere', 50);
      const failure = (() => {
        try {
          tree.insertColumns(x, cities.y, cities.z, 0, 100);
        } catch (error) {
          return error;
        }
        return undefined;
      })();
      expect(failure).to.be.instanceOf(FoldError);
      expect((failure as FoldError).index).to.equal(77);
      expect((failure as FoldError).cause).to.be.instanceOf(InvalidPointError);
      expect(Buffer.compare(tree.encode(), good.encode())).to.equal(0);
    }
  });

  it('refuses points outside its cell', () => {
    const [x, y, z] = [cities.x[0] as number, cities.y[0] as number, cities.z[0] as number];
    const region = regionOf(x, y, z, 3);
    const tree = new FeatureTree(regionAddress(region, 3), 50);
    const mine = within(cities, region, 3);
    tree.insertColumns(mine.x, mine.y, mine.z, 0, mine.x.length);
    expect(tree.totalWeight()).to.equal(mine.x.length);
    expect(() => {
      tree.insert(-x, -y, -z);
    }).to.throw(InvalidPointError, "outside the region's cell");
    expect(() => {
      tree.insertFeature(5, -x, -y, -z, 0);
    }).to.throw(InvalidPointError, 'far outside');
    expect(tree.totalWeight()).to.equal(mine.x.length);
  });

  it('folds features as it folds points', () => {
    const fine = treeOf(cities, 2000);
    const sphere = new FeatureTree('sphere', 100);
    fine.forEachFeature((...feature) => {
      sphere.insertFeature(...feature);
    });
    const [expected, actual] = [bruteForce(cities), merged(featuresOf(sphere))];
    expect(actual[4] / expected[4]).to.be.closeTo(1, 1e-10);
    sphere.insertFeature(10, 0, 0, 0, 10);
    expect(sphere.totalWeight()).to.equal(20_010);
  });

  it('takes a mean that rounding left just outside its cell', () => {
    const places = pointsAt([
      [44.9999999, 1],
      [45.0000001, 1],
    ]);
    const [inside, outside] = [0, 1].map((row) => [places.x[row], places.y[row], places.z[row]] as number[]);
    const [x, y, z] = inside as [number, number, number];
    const tree = new FeatureTree(regionAddress(regionOf(x, y, z, 5), 5), 8);
    tree.insertFeature(2, x, y, z, 0);
    tree.insertFeature(3, ...(outside as [number, number, number]), 1e-9);
    expect(tree.totalWeight()).to.equal(5);
    expect(tree.count).to.equal(2);
  });

  it('refuses what is no feature', () => {
    const tree = new FeatureTree('sphere', 8);
    const wrong: readonly Feature[] = [
      [0, 1, 0, 0, 0],
      [-1, 1, 0, 0, 0],
      [Number.NaN, 1, 0, 0, 0],
      [Infinity, 1, 0, 0, 0],
      [1, Number.NaN, 0, 0, 0],
      [1, 1.1, 0, 0, 0],
      [1, 1, 0, 0, -1],
      [1, 1, 0, 0, Number.NaN],
      [1, 1, 0, 0, Infinity],
    ];
    for (const bad of wrong) {
      expect(() => {
        tree.insertFeature(...bad);
      }, bad.join()).to.throw(InvalidPointError);
    }
    expect(tree.count).to.equal(0);
  });

  it('counts exactly up to 2^53', () => {
    const tree = new FeatureTree('sphere', 8);
    tree.insertFeature(2 ** 52, 1, 0, 0, 0);
    tree.insertFeature(2 ** 52 - 2, 0, 1, 0, 0);
    tree.insert(1, 0, 0);
    expect(tree.totalWeight()).to.equal(Number.MAX_SAFE_INTEGER);
  });

  it('takes another limit at once, and is then a tree of that limit', () => {
    const tree = treeOf(cities, 500);
    tree.setLimit(40);
    expect(tree.count).to.be.at.most(40);
    expect(tree.totalWeight()).to.equal(20_000);
    expect(FeatureTree.decode(tree.encode()).limit).to.equal(40);
    tree.setLimit(1000);
    const sphere = spherePoints(20_000, 1);
    tree.insertColumns(sphere.x, sphere.y, sphere.z, 0, 20_000);
    expect(tree.count).to.be.within(41, 1000);
    expect(tree.totalWeight()).to.equal(40_000);
    for (const limit of [7, 8.5, Number.NaN, 1e9]) {
      expect(() => {
        tree.setLimit(limit);
      }).to.throw(RangeError, 'feature limit');
    }
  });

  describe('moved together with others', () => {
    const bufferOf = (tree: FeatureTree): ArrayBuffer => tree.quadtree.nodes.features.buffer;
    const rows = 400;
    /** Trees of different points, every second one coarsened to fewer features than it had. */
    const grown = (count: number): FeatureTree[] =>
      Array.from({ length: count }, (_, seed) => {
        const tree = treeOf(cityPoints(rows, 5, seed + 1), 200);
        if (seed % 2 === 1) {
          tree.setLimit(60);
        }
        return tree;
      });

    it('is the same to the byte, goes on as it would have, and takes no more than it needs', () => {
      const [trees, apart] = [grown(6), grown(6)];
      FeatureTree.pack(trees);
      expect(new Set(trees.map(bufferOf)).size).to.equal(1);
      expect(trees.map(({ memoryBytes }) => memoryBytes)).to.deep.equal(
        trees.map(({ count }) => (count + 1) * 56),
      );
      const bytes = trees.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0);
      expect(bufferOf(trees[0] as FeatureTree).byteLength).to.equal(bytes);
      // One at a time, so that it shows when one writes over its neighbours.
      for (const [at, tree] of trees.entries()) {
        for (const one of [tree, apart[at] as FeatureTree]) {
          one.insertColumns(cities.x, cities.y, cities.z, 100 * at, 100 * at + 100);
        }
        expect(trees.map((one) => one.encode())).to.deep.equal(apart.map((one) => one.encode()));
      }
    });

    it('stays where it is until a few lie apart, and leaves a buffer that hardly anything is left in', () => {
      const trees = grown(8);
      FeatureTree.pack(trees.slice(0, 3));
      expect(new Set(trees.map(bufferOf)).size).to.equal(8);
      FeatureTree.pack(trees);
      const first = bufferOf(trees[0] as FeatureTree);
      // Three have outgrown it.
      for (const tree of trees.slice(0, 3)) {
        tree.setLimit(2_000);
        tree.insertColumns(cities.x, cities.y, cities.z, 0, 2_000);
        expect(bufferOf(tree)).to.not.equal(first);
      }
      const before = trees.map(bufferOf);
      FeatureTree.pack(trees);
      expect(trees.map(bufferOf)).to.deep.equal(before);
      // The fourth is worth it: those that have stayed are more than half of the first buffer.
      trees[3]?.setLimit(2_000);
      trees[3]?.insertColumns(cities.x, cities.y, cities.z, 0, 2_000);
      const kept = trees.slice(4);
      const share = kept.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0) / first.byteLength;
      const encoded = trees.map((tree) => tree.encode());
      FeatureTree.pack(trees);
      expect(kept.every((tree) => (bufferOf(tree) === first) === share >= 0.5)).to.equal(true);
      expect(new Set(trees.slice(0, 4).map(bufferOf)).size).to.equal(1);
      // Of the fifth alone less than half is left.
      for (const tree of [...trees.slice(0, 4), ...trees.slice(5)]) {
        tree.setLimit(4_000);
        tree.insertColumns(cities.x, cities.y, cities.z, 2_000, 6_000);
      }
      const alone = bufferOf(trees[4] as FeatureTree);
      FeatureTree.pack(trees);
      expect(bufferOf(trees[4] as FeatureTree)).to.not.equal(alone);
      expect(new Set(trees.map(bufferOf)).size).to.equal(1);
      expect(trees[4]?.encode()).to.deep.equal(encoded[4]);
    });
  });

  it('fits its memory and its message', () => {
    const tree = treeOf(cities, 2000);
    expect(tree.memoryBytes).to.be.below(150_000);
    expect(tree.encode().length).to.be.below(100_000);
  });
});

describe('FoldError', () => {
  it('names the row and the cause, also one that is no error', () => {
    expect(new FoldError(3, new Error('not finite')).message).to.match(/^row 3 .*: not finite$/);
    expect(new FoldError(4, 'thrown text').message).to.match(/^row 4 .*: thrown text$/);
  });
});
