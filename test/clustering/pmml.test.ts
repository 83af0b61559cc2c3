import { expect } from 'chai';
import type { NamedModel } from '../../src/clustering/geojson.ts';
import { buildModel } from '../../src/clustering/model.ts';
import { serializePmml } from '../../src/clustering/pmml.ts';
import { Predictor } from '../../src/clustering/predict.ts';
import { child, childrenOf, evaluator, offences, parseXml } from '../pmml/document.ts';
import { named, placeCalled } from './named.ts';
import { pointsAt, sourcesOf, spherePoints } from './points.ts';
import { positionsEverywhere } from './positions.ts';

const modelOf = (k: number): NamedModel =>
  named(buildModel(sourcesOf(spherePoints(2_000, k)), { k, seedings: 1 }));

describe('a model as PMML', () => {
  it('keeps the rules of the schema', () => {
    for (const k of [1, 5, 60]) {
      const document = parseXml(serializePmml(modelOf(k), '1.2.3'));
      expect(offences(document)).to.deep.equal([]);
      const model = child(document, 'ClusteringModel');
      expect(model.attributes['numberOfClusters']).to.equal(String(k));
      expect(childrenOf(model, 'Cluster')).to.have.lengthOf(k);
      expect(child(child(document, 'Header'), 'Application').attributes['version']).to.equal('1.2.3');
      const verification = child(model, 'ModelVerification');
      const rows = childrenOf(child(verification, 'InlineTable'), 'row');
      expect(verification.attributes['recordCount']).to.equal(String(rows.length));
    }
  });

  it('predicts what predict tells, for 10,000 positions', () => {
    const model = modelOf(40);
    const tells = evaluator(parseXml(serializePmml(model, '1')));
    const predictor = new Predictor(model);
    const spots = positionsEverywhere(10_000, 5);
    const told = spots.map(([east, north]) => tells(east, north));
    expect(told).to.deep.equal(spots.map(([east, north]) => String(predictor.predict(east, north).id)));
  });

  it('tells records by which it can be checked, but none where rounding decides', () => {
    const document = parseXml(serializePmml(modelOf(5), '1'));
    const tells = evaluator(document);
    const table = child(child(child(document, 'ClusteringModel'), 'ModelVerification'), 'InlineTable');
    const rows = childrenOf(table, 'row').map((row) => row.children.map(({ text }) => text));
    expect(rows).to.have.lengthOf(6);
    expect(rows[0]?.slice(0, 2)).to.deep.equal(['55', '45']);
    for (const [east, north, cluster] of rows) {
      expect(tells(Number(east), Number(north))).to.equal(cluster);
    }
    const twice = modelOf(1);
    const [one] = twice.clusters as [NamedModel['clusters'][number]];
    const even = parseXml(serializePmml({ ...twice, clusters: [one, { ...one, id: 2 }] }, '1'));
    expect(offences(even)).to.deep.equal([]);
    expect(childrenOf(child(even, 'ClusteringModel'), 'ModelVerification')).to.deep.equal([]);
  });

  it('names clusters by their places, whatever stands there, and leaves out a size that is no count', () => {
    const model = named(buildModel(sourcesOf(pointsAt([[1, 2]])), { k: 1 }));
    const [cluster] = model.clusters as [NamedModel['clusters'][number]];
    const place = 'near "A" & <B>,\tÅland 🌍';
    const broken = `${place}\u0001\uD800`;
    const text = serializePmml(
      { ...model, clusters: [{ ...cluster, weight: 2.5, place: placeCalled(broken) }] },
      '"1"',
    );
    const written = child(child(parseXml(text), 'ClusteringModel'), 'Cluster');
    expect(written.attributes).to.deep.equal({ id: '1', name: `${place}\uFFFD\uFFFD` });
    const facts = childrenOf(written, 'Extension').map(({ attributes }) => [
      attributes['name'],
      attributes['value'],
    ]);
    expect(facts).to.deep.equal([
      ['longitude', String(cluster.longitude)],
      ['latitude', String(cluster.latitude)],
      ['weight', '2.5'],
      ['share', '1'],
      ['radiusKm', '0'],
    ]);
    const counted = child(child(parseXml(serializePmml(model, '1')), 'ClusteringModel'), 'Cluster');
    expect(counted.attributes).to.deep.equal({ id: '1', size: '1' });
  });

  it('is not to be had of no clusters', () => {
    expect(() => serializePmml(named(buildModel([], { k: 2 })), '1')).to.throw(
      RangeError,
      'without clusters',
    );
  });
});
