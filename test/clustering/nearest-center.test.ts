import { expect } from 'chai';
import fc from 'fast-check';
import { NearestCenter } from '../../src/clustering/nearest-center.ts';

describe('NearestCenter', () => {
  it('finds what looking at all centers finds, ties to the lowest index', () => {
    // Small integers: every distance is exact, and many are equal.
    const row = fc.array(fc.integer({ min: -2, max: 2 }), { minLength: 3, maxLength: 3 });
    const rows = fc.array(row, { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), rows, rows, (dimension, centerRows, pointRows) => {
        const centers = centerRows.map((coordinates) => coordinates.slice(0, dimension));
        const points = pointRows.map((coordinates) => coordinates.slice(0, dimension));
        const search = new NearestCenter(Float64Array.from(centers.flat()), dimension);
        const flat = Float64Array.from(points.flat());
        points.forEach((point, index) => {
          const distances = centers.map((center) =>
            center.reduce((sum, x, j) => sum + (x - (point[j] as number)) ** 2, 0),
          );
          expect(search.find(flat, index * dimension)).to.equal(distances.indexOf(Math.min(...distances)));
        });
      }),
      { numRuns: 500 },
    );
  });

  it('goes where Spark goes with a point halfway between two centers, whatever the last bits say', () => {
    // Found by chance; Spark 3.5.5 on Java 17 took 0 in each, where the squared distances as doubles say 1.
    const halfway: [dimension: number, centers: number[], point: number[]][] = [
      [1, [-0.6, -0.1, 0], [-0.35]],
      [1, [1, 0.2, -0.2], [0.6]],
      [2, [0.8, 0.4, 0.6, 0.9, 0.4, 0.6], [0.7, 0.65]],
      [2, [-1, -0.9, -0.2, -0.4], [-0.6, -0.65]],
      [3, [0.7, 0.8, -0.4, 0.8, 0.5, -0.3], [0.75, 0.65, -0.35]],
      [
        3,
        [-0.2, 0.4, 0.6, -0.6, -0.6, -0.8, -0.8, 0.6, 0.7],
        [-0.4, -0.09999999999999998, -0.10000000000000003],
      ],
    ];
    for (const [dimension, centers, point] of halfway) {
      const search = new NearestCenter(Float64Array.from(centers), dimension);
      expect(search.find(Float64Array.from(point), 0)).to.equal(0);
    }
  });
});
