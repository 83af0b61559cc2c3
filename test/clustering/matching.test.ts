import { expect } from 'chai';
import fc from 'fast-check';
import { type Edge, heaviestMatching } from '../../src/clustering/matching.ts';
import { createRandom } from '../../src/clustering/random.ts';
import { finish } from '../../src/clustering/slices.ts';

const weightOf = (partners: readonly number[], edges: readonly Edge[]): number =>
  edges.reduce((sum, { left, right, weight }) => sum + (partners[left] === right ? weight : 0), 0);

/** Tries every matching. */
function greatestWeight(lefts: number, edges: readonly Edge[], taken: ReadonlySet<number>, left = 0): number {
  if (left === lefts) {
    return 0;
  }
  const free = edges.filter((edge) => edge.left === left && !taken.has(edge.right));
  return Math.max(
    greatestWeight(lefts, edges, taken, left + 1),
    ...free.map(
      ({ right, weight }) => weight + greatestWeight(lefts, edges, new Set([...taken, right]), left + 1),
    ),
  );
}

const graphs = fc
  .tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 6 }))
  .chain(([lefts, rights]) =>
    fc
      .array(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: rights, maxLength: rights }), {
        minLength: lefts,
        maxLength: lefts,
      })
      .map((weights) => ({
        lefts,
        rights,
        edges: weights.flatMap((row, left) =>
          row.map((weight, right) => ({ left, right, weight })).filter(({ weight }) => weight > 0),
        ),
      })),
  );

describe('the heaviest matching', () => {
  it('is a matching along edges, and no other is heavier', () => {
    fc.assert(
      fc.property(graphs, ({ edges, lefts, rights }) => {
        const partners = finish(heaviestMatching(lefts, rights, edges));
        expect(partners).to.have.length(lefts);
        const used = partners.filter((right) => right >= 0);
        expect(new Set(used).size).to.equal(used.length);
        partners.forEach((right, left) => {
          const along = edges.some((edge) => edge.left === left && edge.right === right);
          expect(right === -1 || along).to.equal(true);
        });
        expect(weightOf(partners, edges)).to.equal(greatestWeight(lefts, edges, new Set()));
      }),
      { numRuns: 500 },
    );
  });

  it('does not let rounding lead it astray: weights of any size', () => {
    const sizes = fc.array(fc.integer({ min: -120, max: 120 }), { minLength: 36, maxLength: 36 });
    fc.assert(
      fc.property(graphs, sizes, (graph, tenths) => {
        const edges = graph.edges.map((edge, n) => ({ ...edge, weight: 10 ** ((tenths[n] as number) / 10) }));
        const partners = finish(heaviestMatching(graph.lefts, graph.rights, edges));
        const greatest = greatestWeight(graph.lefts, edges, new Set());
        expect(weightOf(partners, edges)).to.be.closeTo(greatest, 1e-12 * greatest);
      }),
      { numRuns: 200 },
    );
  });

  it('takes the first of edges that are equally good', () => {
    const edges = [2, 0, 1].map((right) => ({ left: 0, right, weight: 5 }));
    expect(finish(heaviestMatching(1, 3, edges))).to.deep.equal([2]);
  });

  it('gives way where that is heavier in all, and leaves a node alone where it must', () => {
    const edges = [
      { left: 0, right: 0, weight: 10 },
      { left: 0, right: 1, weight: 9 },
      { left: 1, right: 0, weight: 8 },
      { left: 2, right: 0, weight: 1 },
    ];
    expect(finish(heaviestMatching(3, 2, edges))).to.deep.equal([1, 0, -1]);
  });

  it('of many nodes that all contend for each other is computed in small steps', () => {
    const random = createRandom(3);
    const size = 150;
    const edges = Array.from({ length: size * size }, (_, n) => ({
      left: Math.floor(n / size),
      right: n % size,
      weight: 1 + random(),
    }));
    const steps = heaviestMatching(size, size, edges);
    let count = 0;
    while (steps.next().done !== true) {
      count++;
    }
    expect(count).to.be.at.least(5);
  });
});
