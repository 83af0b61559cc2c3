import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { removeOldExports, writeExports } from '../../../src/actors/reporter/export-folder.ts';

const DAY = 86_400_000;
const NOON = Date.UTC(2026, 10, 25, 12, 0, 5, 678);

describe('the folder of exports', () => {
  let folder: string;

  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'geoflock-exports-')), 'made when missing');
  });

  afterEach(() => {
    rmSync(join(folder, '..'), { recursive: true, force: true });
  });

  const write = (at: number): Promise<string> =>
    writeExports(
      folder,
      at,
      new Map([
        ['html', `report of ${String(at)}`],
        ['geojson', '{}'],
      ]),
    );
  const names = (): string[] => readdirSync(folder).sort();

  it('has a file of each form, named by the time in UTC, whole', async () => {
    expect(await write(NOON)).to.equal('geoflock-20261125T120005Z');
    expect(names()).to.deep.equal(['geoflock-20261125T120005Z.geojson', 'geoflock-20261125T120005Z.html']);
    expect(readFileSync(join(folder, 'geoflock-20261125T120005Z.html'), 'utf8')).to.equal(
      `report of ${String(NOON)}`,
    );
  });

  it('keeps the newest so many, and none that is older', async () => {
    for (let days = 5; days >= 0; days--) {
      await write(NOON - days * DAY);
    }
    expect(await removeOldExports(folder, NOON, { count: 4, ageMs: 100 * DAY })).to.equal(4);
    expect(names().length).to.equal(8);
    expect(await removeOldExports(folder, NOON, { count: 4, ageMs: 1.5 * DAY })).to.equal(4);
    expect(names().map((name) => name.slice(9, 17))).to.deep.equal([
      '20261124',
      '20261124',
      '20261125',
      '20261125',
    ]);
    expect(await removeOldExports(folder, NOON, { count: 4, ageMs: 1.5 * DAY })).to.equal(0);
  });

  it('leaves alone what has another name', async () => {
    await write(NOON - 9 * DAY);
    const others = [
      'geoflock-latest.html',
      'geoflock-20200101T000000Z.html.bak',
      'notes-20200101T000000Z.html',
    ];
    for (const other of others) {
      writeFileSync(join(folder, other), 'mine');
    }
    expect(await removeOldExports(folder, NOON, { count: 1, ageMs: DAY })).to.equal(2);
    expect(names()).to.deep.equal(others.sort());
  });
});
