import { expect } from 'chai';
import fc from 'fast-check';
import { stayMargin } from '../../src/clustering/choose-k.ts';
import type { KRange } from '../../src/clustering/cold-search.ts';
import type { ClusterEvent } from '../../src/clustering/identity.ts';
import type { Candidate, KChange } from '../../src/clustering/live-k.ts';
import {
  type LiveModel,
  liveModelSteps,
  type KnownClusters,
  searchBeside,
  type Unsearched,
} from '../../src/clustering/live-model.ts';
import { buildModel, type ModelOptions } from '../../src/clustering/model.ts';
import { createRandom } from '../../src/clustering/random.ts';
import { finish } from '../../src/clustering/slices.ts';
import { cityPoints, type Points, pointsAt, sourcesOf, spherePoints } from './points.ts';

const AUTO: ModelOptions = { k: { kMin: 2, kMax: 12 }, seedings: 4 };
const inRange = (range: Partial<KRange>): ModelOptions => ({ ...AUTO, k: { kMin: 2, kMax: 12, ...range } });

/** Towns on the equator, 20 degrees apart. */
const FOUR = [0, 1, 2, 3];
const EIGHT = [0, 1, 2, 3, 4, 5, 6, 7];

function gaussian(random: () => number): () => number {
  return () => 0.3 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Rows in normally distributed crowds of one spread (0.3 degrees), side by side on the equator. */
function gaussianRow(crowds: number, apart: number, rows: number, seed: number): Points {
  const random = createRandom(seed);
  const gauss = gaussian(random);
  return pointsAt(
    Array.from({ length: rows }, (): [number, number] => {
      const crowd = Math.floor(crowds * random());
      return [apart * crowd + gauss(), gauss()];
    }),
  );
}

/** Normally distributed rows around towns: so many in each, 30 km wide. */
function townRows(towns: readonly number[], each: number, seed: number): Points {
  const gauss = gaussian(createRandom(seed));
  return pointsAt(
    towns.flatMap((town) =>
      Array.from({ length: each + 10 * town }, (): [number, number] => [20 * town + gauss(), gauss()]),
    ),
  );
}

function together(...all: readonly Points[]): Points {
  const column = (axis: 'x' | 'y' | 'z'): Float64Array =>
    Float64Array.from(all.flatMap((points) => [...points[axis]]));
  return { x: column('x'), y: column('y'), z: column('z') };
}

function live(
  points: Points,
  options: ModelOptions,
  before?: KnownClusters,
  candidate?: Candidate,
): LiveModel {
  return finish(liveModelSteps(sourcesOf(points), options, before, candidate));
}

function beside(model: LiveModel, options = AUTO): { candidate: Candidate; better: boolean } {
  return finish(searchBeside(model.unsearched as Unsearched, options));
}

/** The live model after a next one in which the search beside it was not done yet, and one in which it was. */
function follow(points: Points, before: KnownClusters, options = AUTO): LiveModel[] {
  const warm = live(points, options, before);
  const { candidate } = beside(warm, options);
  return [warm, live(points, options, warm.live, candidate)];
}

/** Ids of the clusters of each town. */
function idsAt(towns: readonly number[], { model }: LiveModel): (number | undefined)[] {
  return towns.map((town) => model.clusters.find(({ longitude }) => Math.abs(longitude - 20 * town) < 2)?.id);
}

const changes = ({ events }: LiveModel): readonly KChange[] =>
  events.filter((event) => event.type === 'k-changed');
const fates = ({ events }: LiveModel): readonly ClusterEvent[] =>
  events.filter((event) => event.type !== 'k-changed' && event.type !== 'moved');

describe('a live model that chooses its k', () => {
  it('is the canonical one first, with the curve and the reason', () => {
    const points = townRows(FOUR, 200, 1);
    const first = live(points, AUTO);
    expect(first.model).to.deep.equal(buildModel(sourcesOf(points), AUTO));
    expect([first.model.k, first.live.k, first.unsearched]).to.deep.equal([4, 4, undefined]);
    const { curve, effectiveRows, reason } = first.model.kChoice ?? {};
    expect(curve?.map(({ k }) => k)).to.deep.equal(Array.from({ length: 11 }, (_, n) => n + 2));
    expect(effectiveRows).to.equal(points.x.length);
    expect(reason).to.match(/^k = 4: BIC is least at 4 \(/);
    expect(first.live.kChoice).to.deep.equal(first.model.kChoice);
    expect(changes(first)).to.deep.equal([]);
  });

  it('follows crowds from four to eight and back, ids are kept, and what becomes of k and clusters is told', () => {
    const first = live(townRows(FOUR, 200, 1), AUTO);
    const old = idsAt(FOUR, first);
    expect(new Set(old)).to.deep.equal(new Set([1, 2, 3, 4]));

    const eight = townRows(EIGHT, 200, 2);
    const [warm, grown] = follow(eight, first.live) as [LiveModel, LiveModel];
    expect([warm.model.k, changes(warm)]).to.deep.equal([4, []]);
    expect(grown.model.k).to.equal(8);
    expect(grown.events[0]).to.deep.equal({
      type: 'k-changed',
      from: 4,
      to: 8,
      reason: grown.model.kChoice?.reason,
    });
    expect(grown.model.kChoice?.reason).to.match(/^k = 8 instead of 4: BIC is least at 8 \(/);
    const ids = idsAt(EIGHT, grown);
    expect(new Set(ids).size).to.equal(8);
    // All that lived on kept their ids, and each of the four that are new was told of once.
    const known = warm.live.clusters.map(({ id }) => id);
    expect(ids).to.include.members(known);
    const fresh = ids.filter((id) => !known.includes(id as number)).sort();
    expect(
      fates(grown)
        .map(({ id }) => id)
        .sort(),
    ).to.deep.equal(fresh);
    expect(fates(grown).every(({ type }) => type === 'split' || type === 'born')).to.equal(true);

    const [, shrunk] = follow(townRows(FOUR, 200, 3), grown.live) as [LiveModel, LiveModel];
    expect(shrunk.model.k).to.equal(4);
    expect(changes(shrunk).map(({ from, to }) => [from, to])).to.deep.equal([[8, 4]]);
    const ended = fates(shrunk).filter(({ type }) => type === 'merged' || type === 'died');
    expect(ended).to.have.length(4);
    expect(idsAt(FOUR, shrunk)).to.have.members(shrunk.live.clusters.map(({ id }) => id));
    expect(shrunk.live.nextId).to.be.at.least(grown.live.nextId);
  });

  it('does not flicker on a stationary stream, also where another k is nearly as good and often the best', () => {
    const overlapping = (turn: number): Points => gaussianRow(7, 0.85, 150, 1000 + turn);
    for (const [rowsAt, flickers] of [
      [(turn: number) => townRows([0, 1, 2, 3, 4], 30, turn), false],
      [overlapping, true],
    ] as const) {
      // The rows of the last nine turns, as with a window.
      const at = (turn: number): Points =>
        together(...Array.from({ length: 9 }, (_, n) => rowsAt(turn + n - 4)));
      let last = live(at(1), AUTO);
      const ks = [last.model.k];
      const alone = [last.model.k];
      for (let turn = 2; turn <= 16; turn++) {
        [, last] = follow(at(turn), last.live) as [LiveModel, LiveModel];
        ks.push(last.model.k);
        alone.push(buildModel(sourcesOf(at(turn)), AUTO).k);
      }
      expect(new Set(ks).size, ks.join()).to.equal(1);
      // Chosen anew each time it would come and go.
      const changed = alone.filter((k, turn) => turn > 0 && k !== alone[turn - 1]).length;
      expect(changed > 3, alone.join()).to.equal(flickers);
    }
  }).timeout(120_000);

  it('judges a k that was chosen at other rows by those of now', () => {
    const first = live(townRows(FOUR, 200, 1), AUTO);
    const warm = live(townRows(EIGHT, 200, 2), AUTO, first.live);
    const { better, candidate } = beside(warm);
    expect([better, candidate.centers.count]).to.deep.equal([true, 8]);
    const back = live(townRows(FOUR, 200, 3), AUTO, warm.live, candidate);
    expect([back.model.k, changes(back)]).to.deep.equal([4, []]);
    expect(back.model.kChoice?.reason).to.match(
      /^k = 4 stays: 8 was chosen, but of the 860\.0 effective rows of now BIC is not better by the 17\.3 that/,
    );
    // The curve is that of the choice.
    expect(back.model.kChoice?.curve).to.deep.equal(candidate.kChoice?.curve);
  });

  it('tells the same reason until k is chosen anew', () => {
    const points = townRows(FOUR, 200, 1);
    const first = live(points, AUTO);
    const second = live(townRows(FOUR, 210, 2), AUTO, first.live);
    expect(second.model.kChoice).to.deep.equal(first.model.kChoice);
    const { better, candidate } = beside(second);
    expect(better).to.equal(false);
    const third = live(townRows(FOUR, 210, 2), AUTO, second.live, candidate);
    expect(third.model.kChoice).to.deep.equal(candidate.kChoice);
    expect(third.model.kChoice?.effectiveRows).to.equal(900);
  });

  it('leaves poor centers for better ones of the same number', () => {
    // Two of the towns share a cluster, and the last has two.
    const points = townRows(FOUR, 200, 1);
    const poor = live(pointsAt([...FOUR.slice(2), 3.005, 0.5].map((town) => [20 * town, 0])), {
      ...AUTO,
      k: 4,
    }).live;
    const warm = live(points, AUTO, poor);
    expect(new Set(idsAt(FOUR, warm)).size).to.be.below(4);
    const { better, candidate } = beside(warm, inRange({ kMin: 4, kMax: 4 }));
    expect(better).to.equal(true);
    const next = live(points, AUTO, warm.live, candidate);
    expect(new Set(idsAt(FOUR, next)).size).to.equal(4);
    expect(changes(next)).to.deep.equal([]);
    expect(next.model.kChoice).to.deep.equal(candidate.kChoice);
  });

  it('takes at once what the search calls better at the same rows, nothing else, and so comes to rest', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 14 }), fc.boolean(), (seed, k, wide) => {
        const points = wide ? spherePoints(300, seed) : cityPoints(300, 6, seed);
        let last = live(points, AUTO, live(points, { k, seedings: 1 }).live);
        for (let turn = 0; ; turn++) {
          const { better, candidate } = beside(last);
          const next = live(points, AUTO, last.live, candidate);
          expect(changes(next).length > 0 || next.model.cost < 0.99 * last.model.cost).to.equal(better);
          if (!better) {
            break;
          }
          if (changes(next).length > 0) {
            const bic = ({ unsearched }: LiveModel): number => unsearched?.standing?.bic as number;
            expect(bic(last) - bic(next)).to.be.above(stayMargin(points.x.length));
          }
          last = next;
          expect(turn).to.be.below(12);
        }
      }),
      { numRuns: 25 },
    );
  }).timeout(120_000);

  it('goes on with the clusters there are when the range is another, as far as it allows', () => {
    const points = townRows(EIGHT, 100, 1);
    const eight = live(points, { k: 8 }).live;
    for (const [range, k] of [
      [{}, 8],
      [{ kMax: 5 }, 5],
      [{ kMin: 11 }, 11],
    ] as const) {
      const { live: state, model, unsearched } = live(points, inRange(range), eight);
      expect([model.k, model.clusters.length, state.k]).to.deep.equal([k, k, k]);
      expect(model.kChoice).to.deep.equal({
        reason: `k = ${String(k)} goes on until the next choice`,
        effectiveRows: null,
        curve: [],
      });
      expect(unsearched?.standing?.k).to.equal(k);
    }
    const fixed = live(points, { k: 6, fixedBy: 'a test' }, eight);
    expect(changes(fixed)).to.deep.equal([
      { type: 'k-changed', from: 8, to: 6, reason: 'k = 6 is fixed by a test' },
    ]);
  });

  it('takes no candidate that the range does not allow, or of which nobody chose the number', () => {
    const points = townRows(EIGHT, 100, 1);
    const four = live(points, { k: 4 }).live;
    const { candidate } = beside(live(points, AUTO, four));
    expect(candidate.centers.count).to.equal(8);
    const without = live(points, inRange({ kMax: 7 }), four);
    expect(live(points, inRange({ kMax: 7 }), four, candidate)).to.deep.equal(without);
    expect(live(points, AUTO, four, { centers: candidate.centers }).model.k).to.equal(4);
  });

  it('has as many clusters as there are places, and more once there are', () => {
    const one = pointsAt(Array.from({ length: 50 }, () => [5, 5]));
    const first = live(one, AUTO);
    expect([first.model.k, first.model.clusters.length]).to.deep.equal([1, 1]);
    const again = live(one, AUTO, first.live);
    expect([again.model.k, changes(again), beside(again).better]).to.deep.equal([1, [], false]);
    const [, more] = follow(townRows(FOUR, 100, 1), again.live) as [LiveModel, LiveModel];
    expect(more.model.k).to.equal(4);
  });

  it('of no rows remembers what there was, and has nothing to search', () => {
    const before = live(townRows(FOUR, 100, 1), AUTO).live;
    const { events, live: state, model, unsearched } = live(pointsAt([]), AUTO, before);
    expect([model.k, model.clusters, events, state, unsearched]).to.deep.equal([
      0,
      [],
      [],
      before,
      undefined,
    ]);
    expect(model.kChoice?.reason).to.equal('there are no rows');
    const none = live(pointsAt([]), AUTO).live;
    expect(none.k).to.equal(0);
    expect(changes(live(townRows(FOUR, 100, 1), AUTO, none))).to.deep.equal([]);
  });
});
