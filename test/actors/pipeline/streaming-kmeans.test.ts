import { join } from 'node:path';
import { expect } from 'chai';
import { requestRewind } from '../../../src/actors/rewind/request-rewind.ts';
import { BatchedKMeans } from '../../../src/clustering/batched-kmeans.ts';
import type { Model } from '../../../src/clustering/model.ts';
import { StreamingKMeans } from '../../../src/clustering/streaming-kmeans.ts';
import { latitude, longitude } from '../../../src/geo/axes.ts';
import { regionFromToken, regionOf } from '../../../src/geo/s2.ts';
import { unitVector } from '../../../src/geo/sphere.ts';
import type { Pipeline } from '../../../src/pipeline.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { SharedStore } from './replicas.ts';
import {
  asFile,
  drain,
  failingFold,
  onStage,
  rejectedRows,
  rowLines,
  type Settings,
  Stage,
  summaries,
  timeOfRow,
} from './support.ts';

const BATCH = 70;

const STREAMING: Settings = {
  'clustering.algorithm': 'streaming-kmeans',
  'clustering.k': '4',
  'clustering.streamingKMeans.k': '3',
  'clustering.streamingKMeans.batchRows': String(BATCH),
};

/** The states of all regions, by partition and token. */
async function states({ broker }: Pipeline, partitions = 1): Promise<Map<string, BatchedKMeans>> {
  const found = new Map<string, BatchedKMeans>();
  for (const [key, hex] of Object.entries(await summaries(broker, partitions))) {
    const [, token = '', part, chunk] = /summary\/(\w+)\/(\w+)\/(\d+)$/.exec(key) ?? [];
    expect([part, chunk]).to.deep.equal(['kmeans', '0']);
    found.set(token, BatchedKMeans.decode(Buffer.from(hex, 'hex')));
  }
  return found;
}

/** Spark's rule over the rows of each region in the order of the files, batch by batch. */
function expectedModels(lines: readonly string[], decayFactor: number): Map<number, StreamingKMeans> {
  const rows = new Map<number, number[]>();
  for (const line of lines) {
    const [, , , , , east, north] = line.split(',');
    const at = unitVector({ longitude: longitude(Number(east)), latitude: latitude(Number(north)) });
    const region = regionOf(...at, 3);
    const own = rows.get(region) ?? [];
    rows.set(region, own);
    own.push(...at);
  }
  return new Map(
    [...rows].map(([region, points]) => {
      const model = StreamingKMeans.create({
        k: 3,
        dimension: 3,
        forgetting: { decayFactor, timeUnit: 'batches' },
        firstCenters: { from: 'data', seed: 1 },
      });
      for (let from = 0; from + 3 * BATCH <= points.length; from += 3 * BATCH) {
        model.update(Float64Array.from(points.slice(from, from + 3 * BATCH)), BATCH);
      }
      return [region, model];
    }),
  );
}

async function refusal(starting: Promise<unknown>): Promise<string> {
  return await starting.then(
    () => 'not refused',
    (error: unknown) => String(error),
  );
}

/** Runs the files through, with a new process for each; gives the tables and the last model. */
async function ran(
  files: readonly (readonly string[])[],
  settings: Settings,
  between: (stage: Stage, pipeline: Pipeline) => Promise<void> = () => Promise.resolve(),
): Promise<{ readonly tables: Record<string, string>; readonly model: Model }> {
  const stage = await Stage.open();
  try {
    let model: Model | undefined;
    let tables: Record<string, string> = {};
    for (const [index, lines] of files.entries()) {
      await stage.write(`${String(index)}.csv`, asFile(lines));
      const onModel = (made: Model): void => {
        model = made;
      };
      const pipeline = await stage.start(settings, { onModel });
      await drain(pipeline);
      tables = await summaries(pipeline.broker, 1);
      await between(stage, pipeline);
      await stage.stop(pipeline);
    }
    if (model === undefined) {
      throw new Error('no model was made');
    }
    return { tables, model };
  } finally {
    await stage.close();
  }
}

describe("a pipeline by Spark's rule", () => {
  for (const decayFactor of [1, 0.8]) {
    it(`makes in each region the centers of the pure rule over the same rows (decay ${String(decayFactor)})`, () =>
      onStage(async (stage) => {
        const lines = rowLines(3_001);
        const settings = { ...STREAMING, 'clustering.streamingKMeans.decayFactor': String(decayFactor) };
        const pipeline = await stage.start(settings);
        await stage.write('a.csv', asFile(lines));
        const weight = await drain(pipeline);
        const expected = expectedModels(lines, decayFactor);
        const found = await states(pipeline);
        expect(found.size).to.equal(expected.size);
        for (const [token, state] of found) {
          const model = expected.get(regionFromToken(token).region);
          expect(state.model.encode()).to.deep.equal(model?.encode());
        }
        const counted = [...found.values()].reduce((sum, { rows }) => sum + rows, 0);
        expect(counted).to.equal(lines.length);
        expect((await pipeline.totals()).rows.counted).to.equal(lines.length);
        if (decayFactor === 1) {
          // Also the rows that wait for their batch.
          expect([...found.values()].some(({ waitingRows }) => waitingRows > 0)).to.equal(true);
          expect(weight).to.equal(lines.length);
        } else {
          expect(weight).to.be.within(1, lines.length - 1);
        }
      }));
  }

  it('finds the cities, and says for certain between what the cost lies', async () => {
    const lines = rowLines(4_000);
    const { model } = await ran([lines], STREAMING);
    const cities = [-74, -0.12, 2.35, 139.7];
    const east = model.clusters.map((cluster) => Number(cluster.longitude)).sort((a, b) => a - b);
    for (const [at, city] of cities.entries()) {
      expect(east[at]).to.be.closeTo(city, 0.5);
    }
    const cost = lines.reduce((sum, line) => {
      const [, , , , , lon, lat] = line.split(',');
      const at = unitVector({ longitude: longitude(Number(lon)), latitude: latitude(Number(lat)) });
      const squares = model.clusters.map(({ center }) =>
        center.reduce((all, value, axis) => all + (value - (at[axis] as number)) ** 2, 0),
      );
      return sum + Math.min(...squares);
    }, 0);
    const { lower, upper } = model.costBounds;
    expect(cost).to.be.within(lower, upper);
    expect(upper / cost).to.be.below(1.02);
    expect(lower / cost).to.be.above(0.7);
    expect(model.clusters.every(({ radiusKm }) => radiusKm > 100 && radiusKm < 300)).to.equal(true);
    expect(model.time).to.deep.include({ from: null, to: null, rows: 4_000, halfLifeSeconds: null });
    expect(model.time?.watermark).to.equal(new Date(timeOfRow(3_999)).toISOString());
  });

  it('is the same to the byte however files are cut, checkpoints written and processes ended', async () => {
    const lines = rowLines(2_500);
    const whole = await ran([lines], STREAMING);
    const pieces = await ran([lines.slice(0, 801), lines.slice(801, 1_644), lines.slice(1_644)], {
      ...STREAMING,
      'checkpoint.rows': '90',
      'partitions.fanOutRows': '37',
      'publisher.linesPerMessage': '11',
    });
    expect(pieces.tables).to.deep.equal(whole.tables);
    expect(JSON.stringify(pieces.model)).to.equal(JSON.stringify(whole.model));
    // A fold of other rows first is another history.
    const turned = await ran([lines.slice(801), lines.slice(0, 801)], STREAMING);
    expect(turned.tables).to.not.deep.equal(whole.tables);
  });

  it('is the same to the byte when its partitions are handed over to other replicas', () =>
    onStage(async (stage) => {
      const settings = { ...STREAMING, 'topics.partitions': '2', 'checkpoint.rows': '100' };
      const lines = rowLines(1_600);
      const store = new SharedStore();
      for (const group of ['geoflock', 'geoflock.ingest', 'geoflock.models']) {
        store.want(group, { a: [0, 1], b: [] });
      }
      const start = (name: string): Promise<Pipeline> =>
        stage.start(
          { ...settings, 'report.directory': join(stage.folder, `report-${name}`) },
          { openBroker: store.openAs(name) },
        );
      const a = await start('a');
      await stage.write('a.csv', asFile(lines.slice(0, 777)));
      expect(await drain(a)).to.equal(777);
      const b = await start('b');
      // What is read while it is handed over is told apart by no one.
      await stage.write('b.csv', asFile(lines.slice(777)));
      await store.move('geoflock', 0, 'b');
      await store.move('geoflock', 1, 'b');
      expect(await drain(a)).to.equal(1_600);
      expect(await drain(b)).to.equal(1_600);
      const expected = expectedModels(lines, 1);
      const found = await states(b, 2);
      expect(found.size).to.equal(expected.size);
      for (const [token, state] of found) {
        const model = expected.get(regionFromToken(token).region);
        expect(state.model.encode()).to.deep.equal(model?.encode());
      }
      expect(b.topology.stats.partitions.some(({ rowsRead }) => rowsRead > 0)).to.equal(true);
    }));

  it('names a poison row, and counts the others', () =>
    onStage(async (stage) => {
      const lines = rowLines(500);
      const pipeline = await stage.start(STREAMING, { fold: failingFold([timeOfRow(123)]) });
      await stage.write('a.csv', asFile(lines));
      expect(await drain(pipeline)).to.equal(499);
      expect((await rejectedRows(pipeline.broker)).map(({ reason }) => reason)).to.deep.equal(['poison']);
      const expected = expectedModels(
        lines.filter((_, row) => row !== 123),
        1,
      );
      for (const [token, state] of await states(pipeline)) {
        const model = expected.get(regionFromToken(token).region);
        expect(state.model.encode()).to.deep.equal(model?.encode());
      }
    }));

  it('judges late rows by the watermark that it stores', () =>
    onStage(async (stage) => {
      const settings = { ...STREAMING, 'regions.lateness': '10m' };
      const row = (minutes: number): string =>
        `${new Date(timeOfRow(60 * minutes)).toISOString()},d,0,0,9.8,2.35,48.86,0`;
      const first = await stage.start(settings);
      await stage.write('a.csv', asFile([row(30), row(20), row(19)]));
      expect(await drain(first)).to.equal(2);
      await stage.stop(first);
      const second = await stage.start(settings);
      await stage.write('b.csv', asFile([row(19.5), row(21)]));
      expect(await drain(second)).to.equal(3);
      expect((await rejectedRows(second.broker)).map(({ reason }) => reason)).to.deep.equal(['late', 'late']);
    }));
});

describe('a state that was made by another algorithm', () => {
  const rewound = async ({ broker, topology }: Pipeline): Promise<void> => {
    await requestRewind(
      { broker, topics: topology.topics, partitions: 1, clock: systemClock, random: Math.random },
      { kind: 'offset', offset: 'earliest' },
    );
  };

  it('is refused with the remedy, either way, and so are other settings of the same', async () => {
    for (const [made, asked, told] of [
      [{}, STREAMING, /kept with clustering\.algorithm summary, and streaming-kmeans \(k 3, batchRows 70, /],
      [
        STREAMING,
        {},
        /kept with clustering\.algorithm streaming-kmeans \(k 3, .*\), and summary is expected/,
      ],
      [
        STREAMING,
        { ...STREAMING, 'clustering.streamingKMeans.halfLife': '5' },
        /decayFactor 1 in batches, .* and streaming-kmeans .* halfLife 5 in batches/,
      ],
      [
        STREAMING,
        { ...STREAMING, 'clustering.streamingKMeans.seed': '2' },
        /initialCenters data, seed 1\), and .* initialCenters data, seed 2\)/,
      ],
    ] as const) {
      await onStage(async (stage) => {
        const first = await stage.start(made);
        await stage.write('a.csv', asFile(rowLines(20)));
        await drain(first);
        await stage.stop(first);
        const message = await refusal(stage.start(asked));
        expect(message).to.match(told);
        expect(message).to.match(/rewind --to-offset earliest.*another state\.directory or topics\.group/);
      });
    }
  });

  it('is counted anew by the other algorithm after a rewind, and is not refused while that is to come', () =>
    onStage(async (stage) => {
      const lines = rowLines(700);
      const first = await stage.start({});
      await stage.write('a.csv', asFile(lines));
      await drain(first);
      await rewound(first);
      await stage.stop(first);
      const second = await stage.start(STREAMING);
      expect(await drain(second)).to.equal(700);
      const found = await states(second);
      const expected = expectedModels(lines, 1);
      expect(found.size).to.equal(expected.size);
      for (const [token, state] of found) {
        const model = expected.get(regionFromToken(token).region);
        expect(state.model.encode()).to.deep.equal(model?.encode());
      }
      await rewound(second);
      await stage.stop(second);
      const third = await stage.start({});
      expect(await drain(third)).to.equal(700);
      expect(Object.keys(await summaries(third.broker, 1)).some((key) => key.includes('kmeans'))).to.equal(
        false,
      );
    }));

  it('is not refused while nothing is counted', () =>
    onStage(async (stage) => {
      await stage.stop(await stage.start({}));
      const pipeline = await stage.start(STREAMING);
      await stage.write('a.csv', asFile(rowLines(20)));
      expect(await drain(pipeline)).to.equal(20);
    }));
});
