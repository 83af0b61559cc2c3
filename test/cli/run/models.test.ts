import fs from 'node:fs';
import { expect } from 'chai';
import type { ModelLineage } from '../../../src/actors/models/lineage.ts';
import type { Place } from '../../../src/geo/place.ts';
import { eventually } from '../../broker/helpers.ts';
import { COMMANDS_MS, Sandbox } from './sandbox.ts';

const HEADER = 'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked';

function row(time: string, east: number): string {
  return `2026-01-01 ${time}.000,d,0,0,9.8,${String(east)},48.86,1`;
}

interface Shown {
  readonly k: number;
  readonly weight: number;
  readonly clusters: readonly {
    readonly longitude: number;
    readonly weight: number;
    readonly place: Place | null;
  }[];
  readonly time: {
    readonly to: string | null;
    readonly rows: number;
    readonly halfLifeSeconds: number | null;
  };
  readonly drift: { readonly pane: string | null; readonly ratio: number | null; readonly alarm: boolean };
}

interface WithLineage {
  readonly nextOffsets: readonly number[];
  readonly lineage: ModelLineage;
}

interface Listed {
  readonly kind: string;
  readonly weight: number;
  readonly clusters: readonly { readonly id: number; readonly place: Place | null }[];
}

describe('geoflock models', function () {
  this.timeout(COMMANDS_MS);
  let box: Sandbox;

  beforeEach(() => {
    box = new Sandbox();
  });

  afterEach(async () => {
    await box.remove();
  });

  const show = async (...flags: readonly string[]): Promise<Shown> => {
    const { code, stderr, stdout } = await box.ask(['models', 'show', '--json', ...flags]);
    expect([code, stderr]).to.deep.equal([0, '']);
    return JSON.parse(stdout) as Shown;
  };

  it('show any time that is kept, with any half-life, window and k, without reading a row again', async () => {
    const rows = [
      ...['08:00:00', '08:59:59'].map((time) => row(time, 2)),
      row('09:00:00', 20),
      row('12:00:00', 40),
    ];
    box.put('a.csv', [HEADER, ...rows, ''].join('\n'));
    expect((await box.once()).code).to.equal(0);

    const all = await show();
    expect([all.weight, all.time.rows, all.time.halfLifeSeconds]).to.deep.equal([4, 4, null]);
    const asOf = await show('--as-of', '2026-01-01T09:00:00Z');
    expect([asOf.weight, asOf.time.to]).to.deep.equal([2, '2026-01-01T09:00:00.000Z']);
    expect(asOf.clusters.every(({ longitude }) => longitude < 3)).to.equal(true);
    const recent = await show('--window', '1h', '--k', '1');
    expect([recent.k, recent.clusters.map(({ longitude }) => Math.round(longitude))]).to.deep.equal([
      1,
      [40],
    ]);
    const faded = await show('--half-life', '3h');
    // Two rows of a pane count by the mean of their times.
    const [newest, before, oldest] = faded.clusters.map(({ weight }) => weight);
    expect(newest).to.equal(1);
    expect(before).to.be.closeTo(2 * 2 ** (-3.5 / 3), 1e-4);
    expect(oldest).to.be.closeTo(0.5, 1e-12);

    const text = await box.ask(['models', 'show', '--as-of', '2026-01-01T09:00:00Z']);
    expect(text.stdout).to.match(/^model of {2}2 rows before 2026-01-01T09:00:00.000Z, the newest of /m);
    expect(text.stdout).to.match(/ {2}Paris, France$/m);
    expect(asOf.clusters.map(({ place }) => place?.text)).to.deep.equal(['near Paris, France']);
    const none = await show('--as-of', '2020-01-01T00:00:00Z');
    expect([none.weight, none.clusters]).to.deep.equal([0, []]);
    const wrong = await box.ask(['models', 'show', '--as-of', 'yesterday']);
    expect([wrong.code, wrong.stdout]).to.deep.equal([2, '']);
  });

  it('refuse times where rows are kept by Spark’s rule, and name the remedy', async () => {
    box.configure('clustering: { algorithm: streaming-kmeans }');
    box.put('a.csv', [HEADER, row('08:00:00', 2), row('08:59:59', 2), row('09:00:00', 20), ''].join('\n'));
    const ended = await box.once();
    expect(ended.code).to.equal(0);
    const all = await show('--k', '1');
    expect([all.k, all.weight, all.time.rows]).to.deep.equal([1, 3, 3]);
    // As long as nothing is asked for, the state tells what it is, and not the settings.
    fs.rmSync(box.at('config'), { recursive: true });
    expect((await show()).weight).to.equal(3);
    for (const flags of [
      ['--as-of', '2026-01-01T09:00:00Z'],
      ['--half-life', '3h'],
      ['--window', '1h'],
    ]) {
      const refused = await box.ask(['models', 'show', ...flags]);
      expect([refused.code, refused.stdout]).to.deep.equal([1, '']);
      expect(refused.stderr).to.match(/^geoflock: .*streaming-kmeans.*without --as-of.*rewind/);
    }
    expect((await show('--half-life', 'off', '--window', 'off')).weight).to.equal(3);

    const other = await box.once();
    expect(other.code).to.equal(1);
    expect(other.stderr).to.match(
      /clustering\.algorithm streaming-kmeans.*summary is expected.*rewind --to-offset/,
    );
    // The remedy that it names works with the settings that are wanted.
    expect((await box.ask(['rewind', '--to-offset', 'earliest'])).code).to.equal(0);
    expect((await box.once()).code).to.equal(0);
    expect((await show('--as-of', '2026-01-01T09:00:00Z')).weight).to.equal(2);
  });

  it('list the published models, and tell the history of live ones', async () => {
    box.put('a.csv', [HEADER, row('08:00:00', 2), row('08:00:01', -30), ''].join('\n'));
    const running = box.start([], { GEOFLOCK_MODEL_EVERY: '100ms', GEOFLOCK_CHECKPOINT_EVERY: '100ms' });
    await eventually(() => {
      const model = JSON.parse(fs.readFileSync(box.at('report', 'model.json'), 'utf8')) as object;
      expect(model).to.include({ weight: 2 });
    }, 60_000);
    running.child.kill('SIGTERM');
    await running.ended;
    const history = await box.ask(['models', 'history']);
    expect([history.code, history.stderr]).to.deep.equal([0, '2 events\n']);
    expect(history.stdout).to.match(
      /^\S+Z\tcluster \d\tborn(\tnear Paris, France)?\n\S+Z\tcluster \d\tborn(\tnear Paris, France)?\n$/,
    );
    const told = await box.ask(['models', 'history', '--json']);
    const places = told.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { readonly place: Place | null }).place?.text ?? null);
    // One of the two is in mid-ocean.
    expect(places).to.have.members(['near Paris, France', null]);
    expect(history.stdout.split('near Paris')).to.have.length(2);
    const list = await box.ask(['models', 'list', '--json']);
    const models = list.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Listed);
    expect(models.map(({ kind, weight }) => [kind, weight])).to.deep.include(['live', 2]);
    expect(list.stderr).to.equal(`${String(models.length)} models\n`);
    expect(models.at(-1)?.clusters.map(({ place }) => place?.text ?? null)).to.have.members([
      'near Paris, France',
      null,
    ]);
    const lines = (await box.ask(['models', 'list'])).stdout.trim().split('\n');
    expect(lines.at(-1)).to.match(/\tcost \S+\tfiles 1\t\S+ to \S+\tversion \S+\t[12] near Paris, France$/);
  });

  it('tell of drift: of the pane that is complete, and of an alarm in the history', async () => {
    // Two places; in the last two hours everybody is at two others.
    const rows = Array.from({ length: 10 * 120 }, (_, n) => {
      const [hour, second] = [Math.floor(n / 120), n % 60];
      const time = `0${String(hour)}:${String(Math.floor((n % 120) / 60))}0:${String(second).padStart(2, '0')}`;
      return row(time, (n % 2 === 0 ? 2 : 40) + (hour < 8 ? 0 : 9) + 0.001 * second);
    });
    box.put('a.csv', [HEADER, ...rows, ''].join('\n'));
    const running = box.start([], {
      GEOFLOCK_CLUSTERING_K: '2',
      GEOFLOCK_MODEL_EVERY: '100ms',
      GEOFLOCK_CHECKPOINT_EVERY: '100ms',
    });
    const path = box.at('report', 'model.json');
    await eventually(() => {
      const { drift } = JSON.parse(fs.readFileSync(path, 'utf8')) as { drift: { alarm: boolean } };
      expect(drift.alarm).to.equal(true);
    }, 90_000);
    running.child.kill('SIGTERM');
    await running.ended;
    const history = await box.ask(['models', 'history']);
    expect(history.stdout).to.match(
      /^\S+Z\tdrift\talarm\trows from 2026-01-01T08:00:00.000Z on cost \d+\.\d\d times as much as at the clusters/m,
    );
    const text = await box.ask(['models', 'show', '--k', '2']);
    expect(text.stdout).to.match(
      /^drift {5}ALARM since 2026-01-01T08:00:00.000Z: rows from 2026-01-01T08:00:00.000Z on cost /m,
    );
    const before = await show('--k', '2', '--as-of', '2026-01-01T08:00:00Z');
    expect(before.drift).to.deep.include({ pane: '2026-01-01T07:00:00.000Z', alarm: false, reason: null });
  });

  it('come with their lineage: files, offsets, times of rows, settings and version', async () => {
    box.configure('clustering: { k: 2, halfLife: 2h }\nregions: { features: 500 }\n');
    const names = Array.from({ length: 25 }, (_, n) => `${String(n).padStart(2, '0')}.csv`);
    names.forEach((name, n) => {
      box.put(name, [HEADER, row(`08:00:${name.slice(0, 2)}`, n), ''].join('\n'));
    });
    box.put('unread.csv', 'a,b,c\n1,2,3\n');
    await box.once();

    const { stdout } = await box.ask(['models', 'list', '--json']);
    const { lineage, nextOffsets } = JSON.parse(stdout) as WithLineage;
    expect(nextOffsets.reduce((sum, next) => sum + Number(next > 0), 0)).to.be.above(0);
    expect(lineage.files.done).to.equal(25);
    expect(lineage.files.names).to.have.lengthOf(20);
    expect(names).to.include.members([...lineage.files.names]);
    expect(lineage.span).to.deep.equal({
      earliest: '2026-01-01T08:00:00.000Z',
      latest: '2026-01-01T08:00:24.000Z',
    });
    expect(lineage.settings).to.deep.include({ k: 2, seed: 1, halfLifeSeconds: 7_200, windowSeconds: null });
    expect(lineage.settings).to.deep.include({ algorithm: 'summary', level: 3, features: 500 });
    expect(lineage.version).to.match(/^\d+\.\d+\.\d+/);

    const now = await box.ask(['models', 'show', '--json']);
    const shown = JSON.parse(now.stdout) as WithLineage;
    expect([shown.lineage, shown.nextOffsets]).to.deep.equal([lineage, nextOffsets]);
    const then = await box.ask(['models', 'show', '--k', '7', '--half-life', 'off', '--window', '2d']);
    expect(then.stdout.split('\n').filter((line) => /^(times|files|offsets|made)/.test(line))).to.deep.equal([
      'times     2026-01-01T08:00:00.000Z to 2026-01-01T08:00:24.000Z',
      `files     25 read to the end: ${lineage.files.names.join(', ')}, ...`,
      `offsets   next ${nextOffsets.map((next, n) => `${String(n)}:${String(next)}`).join(' ')}`,
      `made by   Geoflock ${lineage.version}, summary, k 7, seed 1, ${String(lineage.settings.seedings)} seedings, ` +
        'search of 20,000 features, window 2d, regions of level 3, 500 features a pane',
    ]);
    const none = await box.ask(['models', 'show', '--as-of', '2020-01-01T00:00:00Z']);
    expect(none.stdout)
      .to.match(/^times {5}no rows$/m)
      .and.match(/half-life 2h/);
    const short = await box.ask(['models', 'list']);
    expect(short.stdout).to.match(/\tfiles 25\t2026-01-01T08:00:00\.000Z to \S+\tversion \d/);
  });
});
