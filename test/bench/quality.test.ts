import { expect } from 'chai';
import { costOf, readModel } from '../../bench/quality/cost.ts';
import { judge, type Measured } from '../../bench/quality/judge.ts';
import { FORMS, judged } from '../../bench/quality/measure.ts';
import { exportedModel } from '../../bench/quality/program.ts';
import { type Reference, ReferenceTable } from '../../bench/quality/reference.ts';
import { type Scenario, SCENARIOS } from '../../bench/quality/scenarios.ts';
import { sparkRuleCost } from '../../bench/quality/spark-rule.ts';
import { eventTimes, type Rows, streamOf } from '../../bench/quality/stream.ts';

const ROWS = 50_000;
const SEED = 1;

interface Short {
  readonly scenario: Scenario;
  readonly rows: Rows;
  readonly reference: Reference;
  /** The bytes of `model.json`, for each form of event times. */
  readonly exported: readonly string[];
}

function short(name: string): Short {
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario === undefined) {
    throw new Error(`no scenario ${name}`);
  }
  const rows = streamOf(scenario, SEED, ROWS);
  const { k } = scenario;
  const reference = ReferenceTable.read().find({ scenario: name, seed: SEED, k }, rows);
  if (reference === undefined) {
    throw new Error(`no committed cost of ${name} with ${String(ROWS)} rows`);
  }
  const exported = FORMS.map(({ hours }) => exportedModel(rows, eventTimes(ROWS, SEED, hours), k));
  return { scenario, rows, reference, exported };
}

/** The targets that a stream misses. */
function missed(stream: Measured): readonly string[] {
  return judge([{ name: '', streams: [stream] }])
    .filter(({ missedBy }) => missedBy.length > 0)
    .map(({ target }) => target);
}

interface Exported {
  weight: number;
  costBounds: { lower: number; upper: number };
  clusters: { center: [number, number, number] }[];
}

describe('quality of the clusters, in short', () => {
  for (const name of ['world-5', 'edges']) {
    describe(name, () => {
      let all: Short;

      before(() => {
        all = short(name);
      });

      /** What is missed when the exported model is changed. */
      const missedAfter = (change: (model: Exported) => void): readonly string[] => {
        const model = JSON.parse(all.exported[0] as string) as Exported;
        change(model);
        return missed(judged(all.rows, JSON.stringify(model), all.reference.kMeans));
      };

      it('costs no more than scikit-learn, within the certified bound', () => {
        for (const exported of all.exported) {
          expect(missed(judged(all.rows, exported, all.reference.kMeans))).to.deep.equal([]);
        }
      });

      it('would fail with a center 300 km off', () => {
        const off = missedAfter(({ clusters }) => {
          const [first] = clusters as [Exported['clusters'][number]];
          const [x, y, z] = first.center;
          first.center = [x, y, z + 0.05];
        });
        expect(off).to.include('true cost always inside the bound');
      });

      it('would fail with a center less', () => {
        const less = missedAfter(({ clusters }) => clusters.pop());
        expect(less).to.include('mean ratio <= 1.005').and.include('worst ratio <= 1.02');
      });

      it('would fail with two axes swapped', () => {
        const swapped = missedAfter(({ clusters }) => {
          for (const cluster of clusters) {
            const [x, y, z] = cluster.center;
            cluster.center = [y, x, z];
          }
        });
        expect(swapped).to.include('worst ratio <= 1.02').and.include('true cost always inside the bound');
      });

      it('would fail with a bound below the cost, with one too wide, and with a row lost', () => {
        const below = missedAfter(({ costBounds }) => (costBounds.upper = costBounds.lower * 0.9));
        expect(below).to.include('true cost always inside the bound');
        const wide = missedAfter(({ costBounds }) => (costBounds.upper *= 1.1));
        expect(wide).to.have.length(1);
        expect(wide[0]).to.match(/^bound width/);
        expect(missedAfter((model) => model.weight--)).to.deep.equal(['weight of the model = rows']);
      });

      it('is better than the rule of Spark from random centers', () => {
        const { kMeans } = all.reference;
        const spark = sparkRuleCost(all.rows, all.scenario.k, SEED, 'random');
        expect(spark / kMeans).to.be.above(1.02);
      });
    });
  }

  it('refuses a committed cost of other rows', () => {
    const scenario = SCENARIOS[0] as Scenario;
    const key = { scenario: scenario.name, seed: SEED, k: scenario.k };
    const rows = streamOf(scenario, SEED, 1000);
    const entry = { ...key, rows: 1000, checksum: rows.checksum, kMeans: 1, miniBatch: 1, versions: {} };
    const table = new ReferenceTable([entry]);
    expect(table.find(key, rows)?.kMeans).to.equal(1);
    expect(() => table.find(key, { ...streamOf(scenario, 2, 1000), count: 1000 })).to.throw(/these are rows/);
    expect(() => table.find({ ...key, k: 6 }, rows)).to.throw(/k = 6/);
    expect(table.find({ ...key, seed: 2 }, rows)).to.equal(undefined);
  });

  it('judges a cost of about 0 by what a row costs', () => {
    const stream = { rows: 1000, cost: 9e-10, reference: 1e-19, weight: 1000 };
    const bounds = { lower: 0, upper: 9e-10 };
    expect(missed({ ...stream, bounds })).to.deep.equal([]);
    expect(missed({ ...stream, bounds: { lower: 0, upper: 2e-9 } })[0]).to.match(/^bound width/);
    expect(missed({ ...stream, cost: 2e-9, bounds: { lower: 2e-9, upper: 2e-9 } })).to.have.length(2);
  });

  it('misses a target when there is no stream, or the cost is not a number', () => {
    expect(judge([{ name: 'none', streams: [] }]).every(({ missedBy }) => missedBy.length === 1)).to.equal(
      true,
    );
    const unknown = { rows: 1, cost: Number.NaN, reference: 1, weight: 1, bounds: { lower: 0, upper: 1 } };
    expect(missed(unknown))
      .to.include('mean ratio <= 1.005')
      .and.include('true cost always inside the bound');
  });

  it('sums the squared distances to the nearest center, losing nothing of small ones', () => {
    const many = 1000;
    const rows: Rows = {
      count: 1 + many,
      x: new Float64Array(1 + many).fill(1),
      y: Float64Array.of(1e8, ...new Float64Array(many).fill(1)),
      z: new Float64Array(1 + many),
      checksum: '',
    };
    // 1e16 and a thousand times 1, which 1e16 alone swallows.
    expect(costOf(rows, [[1, 0, 0]])).to.equal(1e16 + many);
    expect(
      costOf(rows, [
        [1, 0, 0],
        [1, 1e8, 0],
      ]),
    ).to.equal(many);
  });

  it('reads no model without centers', () => {
    const model = { weight: 1, costBounds: { lower: 0, upper: 1 }, clusters: [{ center: [1, 0, 0] }] };
    expect(readModel(JSON.stringify(model)).centers).to.deep.equal([[1, 0, 0]]);
    expect(() => readModel(JSON.stringify({ ...model, clusters: [] }))).to.throw(/no centers/);
    expect(() => readModel(JSON.stringify({ ...model, clusters: [{ center: [1, 0] }] }))).to.throw(
      /the form/,
    );
  });

  it('has rows on both sides of the antimeridian and around both poles', () => {
    const { count, x, y, z } = streamOf(
      SCENARIOS.find(({ name }) => name === 'edges') as Scenario,
      SEED,
      20_000,
    );
    let [east, west, north, south] = [0, 0, 0, 0];
    for (let row = 0; row < count; row++) {
      const [px, py, pz] = [x[row], y[row], z[row]] as [number, number, number];
      expect(px * px + py * py + pz * pz).to.be.closeTo(1, 1e-15);
      const nearAntimeridian = px < 0 && Math.abs(pz) < 0.9 && Math.abs(py) < 0.02;
      east += Number(nearAntimeridian && py > 0);
      west += Number(nearAntimeridian && py < 0);
      north += Number(pz > 0.99999);
      south += Number(pz < -0.99999);
    }
    expect(Math.min(east, west, north, south)).to.be.above(100);
  });
});
