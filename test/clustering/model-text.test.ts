import { expect } from 'chai';
import { serializeGeoJson, serializeModel } from '../../src/clustering/geojson.ts';
import { serializeClustersCsv } from '../../src/clustering/model-csv.ts';
import { modelText } from '../../src/clustering/model-text.ts';
import { serializePmml } from '../../src/clustering/pmml.ts';
import { buildModel } from '../../src/clustering/model.ts';
import { named } from './named.ts';
import { sourcesOf, spherePoints } from './points.ts';

describe('a model as text', () => {
  const model = named(buildModel(sourcesOf(spherePoints(100, 1)), { k: 3, seedings: 1 }));
  const empty = named(buildModel([], { k: 3 }));

  it('is in each form what that form makes of it', () => {
    expect(modelText(model, 'geojson', '1.2.3')).to.equal(serializeGeoJson(model));
    expect(modelText(model, 'json', '1.2.3')).to.equal(serializeModel(model));
    expect(modelText(model, 'csv', '1.2.3')).to.equal(serializeClustersCsv(model));
    expect(modelText(model, 'pmml', '1.2.3')).to.equal(serializePmml(model, '1.2.3'));
  });

  it('cannot be had as PMML without clusters', () => {
    expect(modelText(empty, 'pmml', '1.2.3')).to.equal(undefined);
    expect(modelText(empty, 'csv', '1.2.3')).to.equal(serializeClustersCsv(empty));
  });
});
