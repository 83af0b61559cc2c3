import fs from 'node:fs';
import { expect } from 'chai';
import type { Model } from '../../../src/clustering/model.ts';
import { createRandom } from '../../../src/clustering/random.ts';
import { eventually } from '../../broker/helpers.ts';
import { COMMANDS_MS, Sandbox } from './sandbox.ts';

const HEADER = 'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked';
const BLOBS = 7;
const ROWS = 4_000;

/** Normally distributed blobs of one spread and unequal weight, far apart. */
function blobs(): string {
  const random = createRandom(11);
  const gauss = (): number => 0.3 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const rows = Array.from({ length: ROWS }, () => {
    const blob = Math.floor(BLOBS * random() ** 1.3);
    const [east, north] = [-150 + 45 * blob + gauss(), 10 * (blob % 3) + gauss()];
    return `2026-01-01 08:00:00.000,d,0,0,9.8,${east.toFixed(5)},${north.toFixed(5)},1`;
  });
  return [HEADER, ...rows, ''].join('\n');
}

describe('geoflock with clustering.k: auto', function () {
  this.timeout(COMMANDS_MS);
  let box: Sandbox;

  beforeEach(() => {
    box = new Sandbox();
  });

  afterEach(() => box.remove());

  it('finds the number of blobs, and tells the curve and the reason wherever the model is told', async () => {
    box.configure('clustering: { k: auto, kMax: 15 }');
    box.put('blobs.csv', blobs());
    const { code, stdout } = await box.once();
    expect(code).to.equal(0);
    const { model } = JSON.parse(stdout) as { readonly model: Model };
    expect([model.k, model.clusters.length, model.weight]).to.deep.equal([BLOBS, BLOBS, ROWS]);
    const { curve, effectiveRows, reason } = model.kChoice ?? {};
    expect(effectiveRows).to.equal(ROWS);
    expect(curve?.map(({ k }) => k)).to.deep.equal(Array.from({ length: 14 }, (_, n) => n + 2));
    const least = [...(curve ?? [])].sort((a, b) => a.bic - b.bic)[0];
    expect(least?.k).to.equal(BLOBS);
    expect(reason).to.match(/^k = 7: BIC is least at 7 \(/);
    expect(JSON.parse(fs.readFileSync(box.at('report', 'model.json'), 'utf8'))).to.deep.equal(model);

    const shown = await box.ask(['models', 'show', '--json']);
    // And beside it where it comes from.
    expect(JSON.parse(shown.stdout)).to.deep.include(model);
    const text = (await box.ask(['models', 'show', '--curve'])).stdout;
    expect(text).to.include(`choice    ${String(reason)}\n`);
    expect(text).to.match(/^ {4}k {10}cost {13}BIC\n(?: +\d+ +\S+ +\S+\n)+ {4}7 +\S+ +\S+ {2}\*\n/m);
    expect(text.match(/\*$/gm)).to.have.length(1);
  });

  it('is asked for, or a number is, by models show --k', async () => {
    box.put('blobs.csv', blobs());
    expect((await box.once()).code).to.equal(0);
    const fixed = await box.ask(['models', 'show', '--curve']);
    expect(fixed.stdout).to.match(/^choice {4}k = 5 is fixed by clustering\.k$/m);
    expect(fixed.stdout).to.match(/\n\nno curve: k was not chosen \(clustering\.k: auto, or --k auto\)\n$/);
    const chosen = await box.ask(['models', 'show', '--k', 'auto']);
    expect(chosen.stdout).to.match(/^choice {4}k = 7: BIC is least at 7 \(/m);
    expect(chosen.stdout).to.not.include('BIC\n');
    const asked = await box.ask(['models', 'show', '--k', '3']);
    expect(asked.stdout).to.match(/^choice {4}k = 3 is fixed by --k 3$/m);
    for (const wrong of ['many', '0']) {
      const { code, stderr } = await box.ask(['models', 'show', '--k', wrong]);
      expect(code).to.equal(2);
      expect(stderr).to.include(
        `'--k <n>' argument '${wrong}' is invalid. Expected auto, or a whole number of at least 1.`,
      );
    }
  });

  it('cannot be asked for where rows are forgotten uncounted', async () => {
    const environment = { GEOFLOCK_CLUSTERING_ALGORITHM: 'streaming-kmeans' };
    const { code, stderr } = await box.ask(['models', 'show', '--k', 'auto'], environment);
    expect(code).to.equal(2);
    expect(stderr).to.include(
      '--k auto: expected a number, because clustering.algorithm is streaming-kmeans',
    );
  });

  it('tells in the history that k changed, and why', async () => {
    const run = async (name: string, k: string, last: Partial<Model>): Promise<void> => {
      const report = `report-${name}`;
      box.put(`${name}.csv`, blobs());
      const environment = { GEOFLOCK_MODEL_EVERY: '100ms', GEOFLOCK_CHECKPOINT_EVERY: '100ms' };
      const running = box.start(['--report', report], { ...environment, GEOFLOCK_CLUSTERING_K: k });
      // The first model may be of those partitions that have a checkpoint, and k may follow later.
      await eventually(() => {
        expect(JSON.parse(fs.readFileSync(box.at(report, 'model.json'), 'utf8'))).to.include(last);
      }, 90_000);
      running.child.kill('SIGTERM');
      await running.ended;
    };
    await run('one', 'auto', { k: 7, weight: ROWS });
    await run('two', '4', { k: 4, weight: 2 * ROWS });
    const history = (await box.ask(['models', 'history'])).stdout;
    expect(history).to.match(/^\S+Z\tk 7 -> 4\tk = 4 is fixed by clustering\.k$/m);
    const json = (await box.ask(['models', 'history', '--json'])).stdout.trim().split('\n');
    const events = json.map((line) => JSON.parse(line) as { readonly type: string });
    expect(events.findLast(({ type }) => type === 'k-changed')).to.include({ from: 7, to: 4 });
  });

  it('is refused with setting, value and remedy where it cannot be', async () => {
    for (const [settings, message] of [
      [
        'kMin: 9, kMax: 8',
        /clustering\.kMin: 9 .*: expected at most clustering\.kMax \(8\): lower this or raise that/,
      ],
      ['k: auto, kMax: 101', /clustering\.kMax: 101 .*: expected a whole number from 1 to 100/],
      ['k: some', /clustering\.k: "some" .*: expected auto, or a whole number from 1 to 10000/],
    ] as const) {
      box.configure(`clustering: { ${settings} }`);
      const { code, stderr } = await box.once();
      expect(code).to.equal(2);
      expect(stderr).to.match(message);
    }
  });
});
