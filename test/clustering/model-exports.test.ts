import { check } from '@placemarkio/check-geojson';
import { expect } from 'chai';
import { parse } from 'csv-parse/sync';
import { clusterAreas } from '../../src/clustering/areas.ts';
import { type NamedModel, serializeGeoJson } from '../../src/clustering/geojson.ts';
import { buildModel, type Cluster } from '../../src/clustering/model.ts';
import { serializeClustersCsv } from '../../src/clustering/model-csv.ts';
import { latitude, longitude } from '../../src/geo/axes.ts';
import { named, placeCalled } from './named.ts';
import { pointsAt, sourcesOf, spherePoints } from './points.ts';

const sphere = (k: number): NamedModel =>
  named(buildModel(sourcesOf(spherePoints(2_000, k)), { k, seedings: 1 }));

describe('a model as GeoJSON with areas', () => {
  it('is accepted by a validator, wherever its clusters are', () => {
    for (const model of [sphere(1), sphere(12), named(buildModel([], { k: 2 }))]) {
      const text = serializeGeoJson(model, clusterAreas(model));
      const collection = check(text) as { readonly features: readonly { readonly properties: unknown }[] };
      expect(collection.features).to.have.lengthOf(2 * model.clusters.length);
    }
  });

  it('has one polygon for a cluster in the open, and several where the antimeridian cuts it', () => {
    const at = (id: number, east: number, radiusKm: number): Cluster => ({
      id,
      longitude: longitude(east),
      latitude: latitude(0),
      center: [1, 0, 0],
      weight: 1,
      share: 0.25,
      radiusKm,
    });
    const clusters = [at(1, 0, 100), at(2, 180, 100), at(3, 10, 0), at(4, 10, 30_000)];
    const areas = clusterAreas({ ...sphere(1), clusters });
    expect(areas.map(({ geometry, properties }) => [properties.id, geometry.type])).to.deep.equal([
      [1, 'Polygon'],
      [2, 'MultiPolygon'],
      [4, 'Polygon'],
    ]);
    expect(areas.map(({ geometry }) => geometry.coordinates.length)).to.deep.equal([1, 2, 1]);
  });

  it('has no areas unless they are given', () => {
    const model = sphere(3);
    const { features } = JSON.parse(serializeGeoJson(model)) as {
      features: { geometry: { type: string } }[];
    };
    expect(features.map(({ geometry }) => geometry.type)).to.deep.equal(['Point', 'Point', 'Point']);
  });
});

describe('the clusters of a model as CSV', () => {
  it('read back to the same bits', () => {
    const model = sphere(9);
    const placed = named(model, placeCalled('near "Paris", France'));
    const text = serializeClustersCsv(placed);
    const rows = parse<Readonly<Record<string, string>>>(text, { columns: true, record_delimiter: '\r\n' });
    const read = rows.map(({ centerX, centerY, centerZ, place, ...numbers }) => ({
      ...Object.fromEntries(Object.entries(numbers).map(([key, value]) => [key, Number(value)])),
      center: [centerX, centerY, centerZ].map(Number),
      place,
    }));
    expect(read).to.deep.equal(
      placed.clusters.map((cluster) => ({ ...cluster, place: cluster.place?.text ?? '' })),
    );
  });

  it('are a header alone where there are none', () => {
    const columns = 'id,longitude,latitude,place,weight,share,radiusKm,centerX,centerY,centerZ';
    expect(serializeClustersCsv(named(buildModel([], { k: 1 })))).to.equal(`${columns}\r\n`);
    expect(serializeClustersCsv(named(buildModel(sourcesOf(pointsAt([[0, 0]])), { k: 1 })))).to.equal(
      `${columns}\r\n1,0,0,,1,1,0,1,0,0\r\n`,
    );
  });
});
