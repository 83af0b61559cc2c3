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
      // These four also lie on a line through the origin.
      [2, [1.6500000000000001, 2.25, 0.77, 1.0499999999999998], [1.21, 1.65]],
      [3, [0.96, 1.14, 0.48, 1.2800000000000002, 1.52, 0.6400000000000001], [1.12, 1.33, 0.56]],
      [3, [1.26, 0.81, 0.9900000000000001, 2.6599999999999997, 1.71, 2.09], [1.96, 1.26, 1.54]],
      [3, [4.050000000000001, 2.7, 2.16, 4.199999999999999, 2.8, 2.2399999999999998], [4.125, 2.75, 2.2]],
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
