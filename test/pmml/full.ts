import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { buildModel } from '../../src/clustering/model.ts';
import { serializePmml } from '../../src/clustering/pmml.ts';
import { Predictor } from '../../src/clustering/predict.ts';
import { named } from '../clustering/named.ts';
import { sourcesOf, spherePoints } from '../clustering/points.ts';
import { positionsEverywhere } from '../clustering/positions.ts';

const POM = fileURLToPath(new URL('evaluator/pom.xml', import.meta.url));

/**
 * `npm run test:pmml`. Not a `.test.ts`, because it needs Java and Maven, which fetches the evaluator: JPMML, which
 * shares nothing with Geoflock.
 */
describe('a model as PMML, in an independent evaluator', function () {
  this.timeout(600_000);
  let folder: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-pmml-'));
  });

  afterEach(() => {
    fs.rmSync(folder, { recursive: true });
  });

  for (const k of [1, 5, 50]) {
    it(`is valid by the schema, and predicts the same for 10,000 positions with k = ${String(k)}`, () => {
      const model = buildModel(sourcesOf(spherePoints(5_000, k)), { k });
      const spots = positionsEverywhere(10_000, k);
      const [document, positions, clusters] = ['model.pmml', 'positions.csv', 'clusters.txt'].map((name) =>
        path.join(folder, name),
      ) as [string, string, string];
      fs.writeFileSync(document, serializePmml(named(model), '1'));
      fs.writeFileSync(positions, spots.map((spot) => `${spot.join(',')}\n`).join(''));
      const build = `-DbuildDirectory=${path.join(folder, 'target')}`;
      const { status, stderr, stdout } = spawnSync(
        'mvn',
        ['-q', '-f', POM, build, 'compile', 'exec:java', `-Dexec.args=${document} ${positions} ${clusters}`],
        { encoding: 'utf8' },
      );
      expect(status, `${stdout}${stderr}`).to.equal(0);
      const predictor = new Predictor(model);
      const told = fs.readFileSync(clusters, 'utf8').trim().split('\n');
      expect(told).to.deep.equal(spots.map(([east, north]) => String(predictor.predict(east, north).id)));
    });
  }
});
