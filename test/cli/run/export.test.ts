import fs from 'node:fs';
import { check } from '@placemarkio/check-geojson';
import { expect } from 'chai';
import { parse } from 'csv-parse/sync';
import { parseModel } from '../../../src/clustering/model-file.ts';
import { Predictor } from '../../../src/clustering/predict.ts';
import { positionsEverywhere } from '../../clustering/positions.ts';
import { evaluator, offences, parseXml } from '../../pmml/document.ts';
import { COMMANDS_MS, Sandbox } from './sandbox.ts';

const HEADER = 'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked';

const row = (day: number, east: number, north: number): string =>
  `2026-01-0${String(day)} 00:00:00.000,d,0,0,9.8,${String(east)},${String(north)},1`;

describe('geoflock export', function () {
  this.timeout(COMMANDS_MS);
  let box: Sandbox;

  before(async () => {
    box = new Sandbox();
    const rows = [row(1, 2, 48), row(1, 3, 48), row(1, 179, -17), row(1, -179, -17), row(2, 20, 89)];
    box.put('a.csv', [HEADER, ...rows, ''].join('\n'));
    box.configure('clustering: { k: 3 }\n');
    expect((await box.once()).code).to.equal(0);
  });

  after(() => box.remove());

  const exported = async (...flags: readonly string[]): Promise<string> => {
    const { code, stderr, stdout } = await box.ask(['export', ...flags]);
    const to = flags.includes('--output') ? flags[flags.indexOf('--output') + 1] : undefined;
    expect([code, stderr]).to.deep.equal([0, to === undefined ? '' : `written to ${to}\n`]);
    return stdout;
  };
  const read = (...names: readonly string[]): string => fs.readFileSync(box.at(...names), 'utf8');

  it('gives the model that was published last as JSON, as it was at a time, or of a file', async () => {
    expect(await exported('--format', 'json')).to.equal(read('report', 'model.json'));
    const before = parseModel(await exported('--format', 'json', '--as-of', '2026-01-01T12:00:00Z'));
    expect(before.weight).to.equal(4);
    expect(before.time?.to).to.equal('2026-01-01T12:00:00.000Z');
    const again = await exported('--format', 'json', '--model', 'report/model.json');
    expect(again).to.equal(read('report', 'model.json'));
  });

  it('gives GeoJSON, with areas if they are asked for', async () => {
    expect(await exported('--format', 'geojson')).to.equal(read('report', 'clusters.geojson'));
    const areas = check(await exported('--format', 'geojson', '--areas')) as {
      readonly features: readonly { readonly geometry: { readonly type: string } }[];
    };
    const types = areas.features.map(({ geometry }) => geometry.type);
    expect(types.sort()).to.deep.equal(['MultiPolygon', 'Point', 'Point', 'Point', 'Polygon']);
  });

  it('gives a table of the clusters as CSV', async () => {
    const rows = parse<Readonly<Record<string, string>>>(await exported('--format', 'csv'), {
      columns: true,
    });
    const model = parseModel(read('report', 'model.json'));
    expect(rows.map(({ longitude, weight }) => [Number(longitude), Number(weight)])).to.deep.equal(
      model.clusters.map(({ longitude, weight }) => [longitude, weight]),
    );
  });

  it('gives PMML that predicts what geoflock predict tells', async () => {
    const document = parseXml(await exported('--format', 'pmml'));
    expect(offences(document)).to.deep.equal([]);
    const tells = evaluator(document);
    const predictor = new Predictor(parseModel(read('report', 'model.json')));
    for (const [east, north] of positionsEverywhere(1_000, 1)) {
      expect(tells(east, north)).to.equal(String(predictor.predict(east, north).id));
    }
  });

  it('replaces a file as a whole, and leaves nothing beside it', async () => {
    fs.mkdirSync(box.at('out'));
    fs.writeFileSync(box.at('out', 'model.csv'), 'before');
    expect(await exported('--format', 'csv', '--output', 'out/model.csv')).to.equal('');
    expect(read('out', 'model.csv')).to.match(/^id,longitude,.*\r\n1,/);
    expect(fs.readdirSync(box.at('out'))).to.deep.equal(['model.csv']);
    fs.mkdirSync(box.at('out', 'folder'));
    for (const to of ['none/model.csv', 'out/folder']) {
      const { code, stderr, stdout } = await box.ask(['export', '--format', 'csv', '--output', to]);
      expect([code, stdout]).to.deep.equal([1, '']);
      expect(stderr).to.match(new RegExp(`^geoflock: ${to} cannot be written: E\\w+: `));
    }
    expect(fs.readdirSync(box.at('out')).sort()).to.deep.equal(['folder', 'model.csv']);
  });

  it('refuses what is not to be had', async () => {
    for (const [flags, why] of [
      [[], "required option '--format <format>' not specified"],
      [['--format', 'xml'], 'Allowed choices are geojson, json, csv, pmml.'],
      [['--format', 'csv', '--areas'], '--areas needs --format geojson'],
    ] as const) {
      const { code, stderr } = await box.ask(['export', ...flags]);
      expect(code).to.equal(2);
      expect(stderr).to.include(why);
    }
    const none = await box.ask(['export', '--format', 'pmml', '--as-of', '2020-01-01T00:00:00Z']);
    expect([none.code, none.stdout, none.stderr]).to.deep.equal([
      1,
      '',
      'geoflock: the model has no clusters: PMML has no word for that\n',
    ]);
  });
});
