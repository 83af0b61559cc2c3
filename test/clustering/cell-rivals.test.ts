import { expect } from 'chai';
import fc from 'fast-check';
import { CellRivals, type CenterSet, Descent, patchOf } from '../../src/clustering/cell-rivals.ts';
import { type CellAddress, cellVertices } from '../../src/geo/s2.ts';
import type { UnitVector } from '../../src/geo/sphere.ts';

/** Not so near to each other that their differences end where numbers end. */
const coordinate = fc.integer({ min: -1_500_000, max: 1_500_000 }).map((millionths) => millionths / 1e6);
const center: fc.Arbitrary<UnitVector> = fc.tuple(coordinate, coordinate, coordinate);
const cellAt = (levels: fc.Arbitrary<number>): fc.Arbitrary<CellAddress> =>
  fc
    .tuple(levels, fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0 }), fc.integer({ min: 0 }))
    .map(([level, face, i, j]) => ({ face, level, i: i % 2 ** level, j: j % 2 ** level }));
const anyCell = cellAt(fc.integer({ min: 0, max: 24 }));

/** Points of a cell, its corners and edges too, as far off the sphere as rows may be. */
function pointsOf(cell: CellAddress, length: number): UnitVector[] {
  const corners = cellVertices(cell);
  const steps = [0, 0.25, 0.5, 0.75, 1];
  return steps.flatMap((s) =>
    steps.map((t) => {
      const point = [0, 1, 2].map((axis) =>
        [(1 - s) * (1 - t), s * (1 - t), s * t, (1 - s) * t].reduce(
          (sum, share, corner) => sum + share * ((corners[corner] as UnitVector)[axis] as number),
          0,
        ),
      ) as [number, number, number];
      const scale = length / Math.hypot(...point);
      return point.map((value) => value * scale) as unknown as UnitVector;
    }),
  );
}

function squaredChord(a: UnitVector, b: UnitVector): number {
  return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2;
}

/** `|x - own|^2 - |x - rival|^2` without the loss of taking near squares from each other. */
function lead(x: UnitVector, rival: UnitVector, own: UnitVector): number {
  return [0, 1, 2].reduce((sum, axis) => {
    const [p, r, c] = [x[axis] as number, rival[axis] as number, own[axis] as number];
    return sum + (r - c) * (p - r + (p - c));
  }, 0);
}

function indices({ count, list }: CenterSet): number[] {
  return [...list.subarray(0, count)];
}

describe('rivals of a center in an S2 cell', () => {
  it('lead by no more than the greatest lead, at any row', () => {
    fc.assert(
      fc.property(
        anyCell,
        center,
        center,
        fc.constantFrom(1 - 4.9e-10, 1, 1 + 4.9e-10),
        (cell, own, rival, length) => {
          const bound = new CellRivals([own, rival]).greatestLead(1, 0, patchOf(cell));
          for (const point of pointsOf(cell, length)) {
            expect(lead(point, rival, own)).to.be.at.most(bound);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('lead by hardly less than the greatest lead somewhere in a small cell', () => {
    fc.assert(
      fc.property(cellAt(fc.integer({ min: 6, max: 20 })), center, center, (cell, own, rival) => {
        const rivals = new CellRivals([own, rival]);
        const corners = cellVertices(cell);
        const size = Math.sqrt(squaredChord(corners[0] as UnitVector, corners[2] as UnitVector));
        const most = Math.max(...corners.map((corner) => lead(corner, rival, own)));
        const length = Math.max(2, ...[own, rival].map((c) => Math.hypot(...c)));
        expect(rivals.greatestLead(1, 0, patchOf(cell)) - most).to.be.at.most(
          rivals.apart(0, 1) * (length * size * size + 3e-9),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('are left if they are the nearest to a point of the cell or of one above it, and only then', () => {
    fc.assert(
      fc.property(
        cellAt(fc.integer({ min: 3, max: 24 })),
        fc.array(center, { minLength: 1, maxLength: 12 }),
        (cell, centers) => {
          const rivals = new CellRivals([...centers, centers[0] as UnitVector]);
          const descent = new Descent(rivals);
          let left = rivals.everyone;
          for (let level = 0; level <= cell.level; level++) {
            const shift = cell.level - level;
            const on = { face: cell.face, level, i: cell.i >> shift, j: cell.j >> shift };
            expect(indices(descent.enter(on))).to.deep.equal(indices(left));
            // A cell beside it, on the way, changes nothing for the next one.
            expect(indices(descent.enter({ ...on, i: on.i ^ 1 }))).to.deep.equal(indices(left));
            const entered = descent.enter(on);
            left = rivals.leftInCell(entered, on, rivals.emptySet());
            for (const point of pointsOf(on, 1)) {
              const squares = centers.map((c) => squaredChord(point, c));
              const least = Math.min(...squares);
              expect(
                indices(left).some((c) => (squares[c % centers.length] as number) <= least + 1e-14),
              ).to.equal(true);
            }
          }
        },
      ),
      { numRuns: 200 },
    );
    const apart: UnitVector[] = [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [-1, 0, 0],
    ];
    const inside = new CellRivals(apart);
    const descent = new Descent(inside);
    descent.enter({ face: 0, level: 2, i: 1, j: 2 });
    const [above, below] = [descent.inside(), { face: 5, level: 3, i: 2, j: 4 }];
    expect(indices(above)).to.deep.equal([0]);
    // The root of another tree is in no cell of this one.
    descent.begin();
    expect(indices(descent.enter(below))).to.deep.equal([0, 1, 2, 3]);
    const left = inside.leftInCell(inside.everyone, { face: 0, level: 2, i: 1, j: 2 }, inside.emptySet());
    expect(indices(left)).to.deep.equal([0]);
  });
});
