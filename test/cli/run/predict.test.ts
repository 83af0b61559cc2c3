import { expect } from 'chai';
import { parse } from 'csv-parse/sync';
import type { Place } from '../../../src/geo/place.ts';
import { COMMANDS_MS, Sandbox } from './sandbox.ts';

const HEADER = 'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked';
const SWAPPED = 'timepoint,deviceId,acceloX,acceloY,acceloZ,latitude,longitude,locked';

const row = (east: number, north: number): string =>
  `2026-01-01 00:00:00.000,d,0,0,9.8,${String(east)},${String(north)},1`;

interface Told {
  readonly line?: number;
  readonly longitude: number;
  readonly latitude: number;
  readonly cluster: {
    readonly id: number;
    readonly longitude: number;
    readonly latitude: number;
    readonly place: Place | null;
  };
  readonly distanceKm: number;
  readonly marginKm: number | null;
}

function toldOf(stdout: string): readonly Told[] {
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Told);
}

describe('geoflock predict', function () {
  this.timeout(COMMANDS_MS);
  let box: Sandbox;

  before(() => {
    box = new Sandbox();
    const rows = [...Array<string>(3).fill(row(2, 48)), ...Array<string>(2).fill(row(179, -17)), row(20, 0)];
    const later = '2026-01-02 00:00:00.000,d,0,0,9.8,60,60,1';
    box.put('a.csv', [HEADER, ...rows, later, ''].join('\n'));
    box.configure('clustering: { k: 4 }\nregions: { pane: 1h }\n');
  });

  after(() => box.remove());

  it('says that no model is published, before there is one', async () => {
    const none = await box.ask(['predict', '55', '45']);
    expect([none.code, none.stdout]).to.deep.equal([1, '']);
    expect(none.stderr).to.include('there is no state in');
    expect((await box.once()).code).to.equal(0);
  });

  it('tells of the point 55 45 to which cluster of the model published last it belongs', async () => {
    const text = await box.ask(['predict', '55', '45']);
    expect([text.code, text.stderr]).to.deep.equal([0, '']);
    expect(text.stdout).to.match(
      /^cluster {3}\d\nat {8}60\.0000 60\.0000, near .+, Russia\ndistance {2}1,7\d\d\.\d+ km\nmargin {4}\S+ km to the second nearest\n$/,
    );
    const json = await box.ask(['predict', '--json', '55', '45']);
    const told = JSON.parse(json.stdout) as Told;
    expect(told).to.deep.include({ longitude: 55, latitude: 45 });
    expect(told.cluster.place?.countryCode).to.equal('RU');
    expect(told.cluster.longitude).to.be.closeTo(60, 1e-9);
    expect(told.distanceKm).to.be.closeTo(1_700, 60);
    const file = await box.ask(['predict', '55', '45', '--json', '--model', 'report/model.json']);
    expect(file.stdout).to.equal(json.stdout);
  });

  it('goes by the model as it was at a time', async () => {
    const before = await box.ask(['predict', '55', '45', '--json', '--as-of', '2026-01-01T12:00:00Z']);
    expect(before.stderr).to.equal('');
    const told = JSON.parse(before.stdout) as Told;
    expect([2, 20]).to.include(Math.round(told.cluster.longitude));
  });

  it('takes a longitude below zero for what it is, and refuses what is none', async () => {
    const west = await box.ask(['predict', '-179.5', '-17', '--json']);
    expect((JSON.parse(west.stdout) as Told).cluster.longitude).to.be.closeTo(179, 1e-9);
    for (const [wrong, why] of [
      [['181', '0'], 'Expected a longitude in degrees, from -180 to 180: the longitude comes first.'],
      [['45', '122.3'], 'Expected a latitude in degrees, from -90 to 90: the longitude comes first.'],
      [['45', 'north'], 'Expected a latitude in degrees'],
      [['45'], 'name longitude and latitude, or neither'],
      [
        ['45', '5', '--model', 'm.json', '--as-of', '2026-01-01 00:00:00'],
        "cannot be used with option '--as-of",
      ],
    ] as const) {
      const { code, stderr, stdout } = await box.ask(['predict', ...wrong]);
      expect([code, stdout]).to.deep.equal([2, '']);
      expect(stderr).to.include(why);
    }
  });

  const forms: readonly (readonly [string, string, number])[] = [
    ['the plain header', [HEADER, row(1, 47), row(-179, -17), ''].join('\n'), 2],
    ["the original generator's header", [SWAPPED, row(1, 47), row(-179, -17)].join('\r\n'), 2],
    [
      'columns by name',
      'latitude,longitude,timepoint\n47,1,2026-01-01 00:00:00\n-17,-179,2026-01-01 00:00:00\n',
      2,
    ],
    ['no header', `${row(1, 47)}\n${row(-179, -17)}\n`, 1],
  ];
  for (const [name, input, first] of forms) {
    it(`reads rows on stdin with ${name}`, async () => {
      const { code, stderr, stdout } = await box.ask(['predict', '--json'], {}, input);
      expect(code).to.equal(0);
      expect(stderr).to.match(/^stdin: .*longitude = .*\n2 rows predicted, 0 bad\n$/);
      expect(toldOf(stdout).map(({ cluster, line }) => [line, Math.round(cluster.longitude)])).to.deep.equal([
        [first, 2],
        [first + 1, 179],
      ]);
    });
  }

  it('prints CSV with the same in it', async () => {
    const input = [HEADER, row(1, 47), row(-179, -17), ''].join('\n');
    const csv = await box.ask(['predict'], {}, input);
    const json = await box.ask(['predict', '--json'], {}, input);
    const rows = parse(csv.stdout, {
      columns: true,
      cast: (text, { column, header }) => (header || column === 'place' ? text : Number(text)),
    });
    expect(rows).to.deep.equal(
      toldOf(json.stdout).map(({ cluster: { id, latitude, longitude, place }, ...rest }) => {
        return {
          ...rest,
          cluster: id,
          clusterLongitude: longitude,
          clusterLatitude: latitude,
          place: place?.text ?? '',
        };
      }),
    );
  });

  it('tells bad rows on stderr, and predicts the others', async () => {
    const input = [HEADER, row(1, 47), row(45, 122.3), 'x', row(3, 47), ''].join('\n');
    const { code, stderr, stdout } = await box.ask(['predict', '--json'], {}, input);
    expect(code).to.equal(0);
    expect(stderr.split('\n').slice(1)).to.deep.equal([
      'line 3: latitude 122.3 is out of range [-90, 90]; is source.columns right?',
      'line 4: column count 1, expected 8',
      '2 rows predicted, 2 bad',
      '',
    ]);
    expect(toldOf(stdout).map(({ line }) => line)).to.deep.equal([2, 5]);
  });

  it('refuses a text of another form, and a file that is no model', async () => {
    const csv = await box.ask(['predict', '--json'], {}, 'a,b\n1,2\n');
    expect([csv.code, csv.stdout]).to.deep.equal([1, '']);
    expect(csv.stderr).to.match(/^geoflock: stdin: missing in the header: timepoint, longitude, latitude/);
    const none = await box.ask(['predict', '1', '2', '--model', 'none.json']);
    expect([none.code, none.stdout]).to.deep.equal([1, '']);
    expect(none.stderr).to.match(/^geoflock: the model none\.json cannot be used: ENOENT/);
    const other = await box.ask(['predict', '1', '2', '--model', 'input/a.csv']);
    expect([other.code, other.stderr.split(': it is')[0]]).to.deep.equal([
      1,
      'geoflock: the model input/a.csv cannot be used',
    ]);
  });
});
