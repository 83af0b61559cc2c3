import { expect } from 'chai';
import type { Model } from '../../../src/clustering/model.ts';
import { asFile, drain, onStage, rejectedRows, type Settings, summaries } from './support.ts';

const MINUTE = 60_000;
const NOON = Date.UTC(2026, 0, 1, 12);
const PARIS = [2.35, 48.86] as const;
const TOKYO = [139.7, 35.7] as const;

/** A row so many minutes after noon. */
function row(minutes: number, [east, north]: readonly [number, number] = PARIS): string {
  const time = new Date(NOON + minutes * MINUTE).toISOString();
  return `${time},d,0,0,9.8,${String(east)},${String(north)},0`;
}

const timeOf = (model: Model): string | null | undefined => model.time?.watermark;

async function modelOf(
  files: readonly (readonly string[])[],
  settings: Settings,
): Promise<{ readonly model: Model; readonly weight: number }> {
  let built: Model | undefined;
  await onStage(async (stage) => {
    const onModel = (model: Model): void => {
      built = model;
    };
    const pipeline = await stage.start({ 'clustering.k': '2', ...settings }, { onModel });
    for (const [index, lines] of files.entries()) {
      await stage.write(`${String(index)}.csv`, asFile(lines));
      await drain(pipeline);
    }
  });
  if (built === undefined) {
    throw new Error('no model was made');
  }
  return { model: built, weight: built.weight };
}

describe('rows that are late', () => {
  const lateness = { 'regions.lateness': '10m', 'checkpoint.every': '20ms' };

  it('are rejected, each by the newest row before it of its own region, also after a restart', () =>
    onStage(async (stage) => {
      const first = await stage.start(lateness);
      // Exactly the lateness is not late; another region has its own time; what is rejected moves no time.
      await stage.write('a.csv', asFile([row(0), row(-10), row(-10.01), row(-60, TOKYO), row(-70, TOKYO)]));
      expect(await drain(first)).to.equal(4);
      await stage.stop(first);
      const second = await stage.start(lateness);
      await stage.write('b.csv', asFile([row(-10.5), row(-9), row(-70.5, TOKYO), row(20), row(9)]));
      expect(await drain(second)).to.equal(6);
      // A file's rows are published region by region.
      const rejected = await rejectedRows(second.broker);
      const told = rejected.map(({ reason, row: line }) => `${reason} ${line.text.slice(11, 19)}`).sort();
      expect(told).to.deep.equal(['late 10:49:30', 'late 11:49:30', 'late 11:49:59', 'late 12:09:00']);
      expect(rejected[0]?.message).to.match(/2026-01-01T1.:..:...*regions\.lateness/);
      expect((await second.totals()).rows).to.deep.equal({ read: 10, counted: 6, rejected: 4 });
    }));

  it('are counted where no lateness is set', async () => {
    const { weight } = await modelOf([[row(0), row(-600_000)]], {});
    expect(weight).to.equal(2);
  });
});

describe('a model in event time', () => {
  it('counts a row by its age, measured to the newest row of all regions', async () => {
    const settings = { 'clustering.halfLife': '60m', 'regions.pane': '60s' };
    const rows = [row(-120), row(-120), row(-60), row(0, TOKYO)];
    const { model } = await modelOf([rows], settings);
    const weights = model.clusters.map(({ weight }) => weight);
    expect(weights[0]).to.equal(1);
    expect(weights[1]).to.be.closeTo(1, 1e-12);
    expect(model.time).to.deep.equal({
      from: null,
      to: null,
      watermark: '2026-01-01T12:00:00.000Z',
      rows: 4,
      halfLifeSeconds: 3600,
    });
  });

  it('is of the window before the newest row', async () => {
    const rows = [row(-120), row(-61), row(-31), row(-29), row(0, TOKYO)];
    const { model } = await modelOf([rows], { 'clustering.window': '30m', 'regions.pane': '60s' });
    expect([model.weight, model.time?.rows, timeOf(model)]).to.deep.equal([2, 2, '2026-01-01T12:00:00.000Z']);
  });

  it('loses no row where panes get wider or the history shorter from one run to the next', () =>
    onStage(async (stage) => {
      const grids: readonly Settings[] = [
        { 'regions.pane': '1m', 'regions.history': '2h' },
        { 'regions.pane': '1m', 'regions.history': '5m' },
        { 'regions.pane': '30m', 'regions.history': '5h' },
        { 'regions.pane': '1m', 'regions.history': '2h' },
      ];
      for (const [run, grid] of grids.entries()) {
        const pipeline = await stage.start(grid);
        // After the first run there is one row a run, and no time goes on: only the grid is another.
        const rows = run === 0 ? Array.from({ length: 100 }, (_, index) => row(4 * index)) : [row(4 * 99)];
        await stage.write(`${String(run)}.csv`, asFile(rows));
        expect(await drain(pipeline)).to.equal(100 + run);
        await stage.stop(pipeline);
      }
      expect(await drain(await stage.start({}))).to.equal(103);
    }));

  it('does not depend on when its rows were read, nor on what was asked of it before', async () => {
    const rows = Array.from({ length: 300 }, (_, index) =>
      row(index - 300 + ((index * 37) % 50), index % 3 === 0 ? TOKYO : [PARIS[0] + index / 1000, PARIS[1]]),
    );
    const settings: Settings = { 'regions.pane': '2m', 'regions.history': '1h', 'checkpoint.every': '10ms' };
    const halved: Settings = { ...settings, 'clustering.halfLife': '45m' };
    const kept: Record<string, string>[] = [];
    const models: (Model | undefined)[] = [];
    for (const cuts of [
      [0, 300],
      [0, 20, 21, 140, 300],
    ]) {
      await onStage(async (stage) => {
        let pipeline = await stage.start(settings);
        for (const [index, from] of cuts.slice(0, -1).entries()) {
          await stage.write(`${String(index)}.csv`, asFile(rows.slice(from, cuts[index + 1])));
          await drain(pipeline);
          await stage.stop(pipeline);
          pipeline = await stage.start(settings);
        }
        kept.push(await summaries(pipeline.broker, 1));
        await stage.stop(pipeline);
        // The half-life is another from here on: no row is read again.
        const onModel = (model: Model): void => {
          models[kept.length - 1] = model;
        };
        pipeline = await stage.start(halved, { onModel });
        await drain(pipeline);
        expect((await pipeline.totals()).rows.read).to.equal(300);
      });
    }
    expect(kept[0]).to.deep.equal(kept[1]);
    expect(Object.keys(kept[0] ?? {}).length).to.be.greaterThan(20);
    expect(models[0]?.weight).to.be.within(30, 250);
    expect(models[1]).to.deep.equal(models[0]);
  });
});
