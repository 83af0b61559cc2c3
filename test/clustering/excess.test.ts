import { expect } from 'chai';
import fc from 'fast-check';
import { greatestExcess, greatestExcessOfAny as anyExcess, Leads } from '../../src/clustering/excess.ts';

type Vector = readonly [number, number, number];

interface Lead {
  readonly slope: Vector;
  readonly below: number;
  readonly most: number;
}

interface Atom {
  readonly share: number;
  readonly at: Vector;
}

/** Not so small that their squares end where numbers end. */
const unit = fc.integer({ min: -1_000_000, max: 1_000_000 }).map((millionths) => millionths / 1e6);
const vector = fc.tuple(unit, unit, unit);
const share = fc.double({ min: 0.001, max: 1, noNaN: true });

/** A few points with their shares, moved so that their mean is the origin, and scaled. */
const atoms = fc
  .tuple(fc.array(fc.tuple(share, vector), { minLength: 2, maxLength: 6 }), fc.constantFrom(1, 1e-3, 1e-7))
  .map(([given, scale]): readonly Atom[] => {
    const total = given.reduce((sum, [weight]) => sum + weight, 0);
    const mean = [0, 1, 2].map((axis) =>
      given.reduce((sum, [weight, at]) => sum + (weight / total) * (at[axis] as number), 0),
    ) as unknown as Vector;
    return given.map(([weight, [x, y, z]]) => ({
      share: weight / total,
      at: [scale * (x - mean[0]), scale * (y - mean[1]), scale * (z - mean[2])],
    }));
  });

function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function varianceOf(of: readonly Atom[]): number {
  return of.reduce((sum, atom) => sum + atom.share * dot(atom.at, atom.at), 0);
}

/** With the greatest value at an atom as `most`, or none. */
function leadOf(slope: Vector, below: number, support: readonly Atom[] | undefined): Lead {
  const values = support?.map(({ at }) => dot(slope, at) - below) ?? [Infinity];
  return { slope, below, most: Math.max(...values) };
}

function excessOf(leads: readonly Lead[], of: readonly Atom[]): number {
  return of.reduce(
    (sum, atom) =>
      sum + atom.share * Math.max(0, ...leads.map((lead) => dot(lead.slope, atom.at) - lead.below)),
    0,
  );
}

/** All in the same memory, as the bounds do it. */
const LEADS = new Leads();

function greatestExcessOfAny(leads: readonly Lead[], variance: number): number {
  LEADS.clear();
  for (const { below, most, slope } of leads) {
    const at = LEADS.next();
    LEADS.doubles.set([...slope, below, most], at);
  }
  return anyExcess(LEADS, variance);
}

describe('greatest excess', () => {
  it('is not passed by any distribution', () => {
    fc.assert(
      fc.property(
        atoms,
        vector,
        fc.double({ min: 0, max: 2, noNaN: true }),
        fc.boolean(),
        (of, slope, d, known) => {
          const below = d * Math.sqrt(varianceOf(of) * dot(slope, slope));
          const lead = leadOf(slope, below, known ? of : undefined);
          const variance = of.reduce((sum, atom) => sum + atom.share * dot(slope, atom.at) ** 2, 0);
          const bound = greatestExcess(below, variance, lead.most);
          expect(excessOf([lead], of)).to.be.at.most(bound * (1 + 1e-9) + 1e-15 * Math.sqrt(variance));
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('is attained by two values', () => {
    const positive = fc.double({ min: 0.01, max: 10, noNaN: true });
    fc.assert(
      fc.property(positive, positive, positive, (below, variance, given) => {
        const most = Math.min(given, Math.sqrt(variance + below * below));
        // The mean -below and the variance leave one choice for the other value and the shares.
        const other = -below - variance / (most + below);
        const high = (-below - other) / (most - other);
        expect(high * most).to.be.closeTo(greatestExcess(below, variance, given), 1e-12 * most);
      }),
    );
  });

  it('is nothing of what does not vary, or is never above 0', () => {
    expect(greatestExcess(1, 0, 3)).to.equal(0);
    expect(greatestExcess(0, 0, 3)).to.equal(0);
    expect(greatestExcess(1, 4, 0)).to.equal(0);
    expect(greatestExcess(1, 4, -1)).to.equal(0);
  });
});

describe('greatest excess of any of several leads', () => {
  const below = fc.double({ min: 0, max: 1, noNaN: true });
  const given = fc.array(fc.tuple(vector, below), { minLength: 1, maxLength: 12 });

  it('is not passed by any distribution', () => {
    fc.assert(
      fc.property(atoms, given, fc.boolean(), (of, pairs, known) => {
        const deviation = Math.sqrt(varianceOf(of));
        const leads = pairs
          .map(([slope, d]) => leadOf(slope, d * deviation, known ? of : undefined))
          .filter(({ most }) => most > 0);
        fc.pre(leads.length > 0);
        const bound = greatestExcessOfAny(leads, deviation * deviation);
        expect(excessOf(leads, of)).to.be.at.most(bound * (1 + 1e-9));
      }),
      { numRuns: 1000 },
    );
  });

  it('is hardly more than that of one, of one', () => {
    const positive = fc.double({ min: 0.1, max: 2, noNaN: true });
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), positive, positive, (d, variance, most) => {
        const one = greatestExcess(d, 4 * variance, most);
        const any = greatestExcessOfAny([{ slope: [0, 2, 0], below: d, most }], variance);
        expect(any / one).to.be.within(1 - 1e-9, most > Math.sqrt(4 * variance + d * d) ? 1.05 : 1.5);
      }),
    );
  });

  it('is what two points attain, each beyond one of two borders at right angles', () => {
    const leads: Lead[] = [
      { slope: [1, 0, 0], below: 0, most: Infinity },
      { slope: [0, 1, 0], below: 0, most: Infinity },
    ];
    // At (r, -r) and (-r, r) with r^2 = 1/2; the sum of their own would be 1.
    expect(greatestExcessOfAny(leads, 1)).to.be.within(Math.SQRT1_2 * (1 - 1e-12), Math.SQRT1_2 * 1.01);
    // And with r = 0.2; the sum of their own would be 0.385.
    const near = leads.map((lead) => ({ ...lead, most: 0.2 }));
    expect(greatestExcessOfAny(near, 1)).to.be.within(0.2 * (1 - 1e-12), 0.28);
  });

  it('is nothing of a point that does not move', () => {
    expect(greatestExcessOfAny([{ slope: [1, 0, 0], below: 0, most: 1 }], 0)).to.equal(0);
  });
});
