import { latitude, longitude } from '../geo/axes.ts';
import { unitVector } from '../geo/sphere.ts';
import type { Model } from './model.ts';
import type { NamedCluster, NamedModel } from './geojson.ts';
import { Predictor } from './predict.ts';

/** Degrees to radians. */
const RADIANS = Math.PI / 180;

/**
 * Positions whose clusters are told in the document, so that whoever loads it can check it: but those where
 * two clusters are as near, of which rounding decides.
 */
const VERIFIED = [
  [55, 45],
  [0, 0],
  [180, 0],
  [-180, 10],
  [0, 90],
  [0, -90],
] as const;
const CLEAR = 1e-9;

/**
 * A model as PMML 4.4 (https://dmg.org/pmml/v4-4-1/ClusteringModel.html): a ClusteringModel based on centers, whose
 * distance is the squared Euclidean one. Its inputs are longitude and latitude in degrees; x, y and z of the
 * position's unit vector are derived from them, so that it tells what `predict` tells. Of rows that are not
 * positions it tells nothing (`returnInvalid`).
 * @param version of the program, for the header
 * @throws RangeError for a model without clusters, which PMML cannot express.
 */
export function serializePmml(model: NamedModel, version: string): string {
  const { clusters } = model;
  if (clusters.length === 0) {
    throw new RangeError('a model without clusters cannot be written as PMML');
  }
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">',
    '  <Header description="Where users are gathered: k-means of positions on the sphere">',
    `    <Application name="Geoflock" version="${escaped(version)}"/>`,
    '  </Header>',
    '  <DataDictionary numberOfFields="2">',
    ...dataField('longitude', 180),
    ...dataField('latitude', 90),
    '  </DataDictionary>',
    '  <TransformationDictionary>',
    ...derivedField('x', product(turn('cos', 'latitude'), turn('cos', 'longitude'))),
    ...derivedField('y', product(turn('cos', 'latitude'), turn('sin', 'longitude'))),
    ...derivedField('z', turn('sin', 'latitude')),
    '  </TransformationDictionary>',
    '  <ClusteringModel modelName="geoflock" functionName="clustering" modelClass="centerBased" ' +
      `numberOfClusters="${String(clusters.length)}">`,
    '    <MiningSchema>',
    '      <MiningField name="longitude"/>',
    '      <MiningField name="latitude"/>',
    '    </MiningSchema>',
    '    <Output>',
    '      <OutputField name="cluster" optype="categorical" dataType="string" feature="predictedValue"/>',
    '    </Output>',
    '    <ComparisonMeasure kind="distance" compareFunction="absDiff">',
    '      <squaredEuclidean/>',
    '    </ComparisonMeasure>',
    ...['x', 'y', 'z'].map((field) => `    <ClusteringField field="${field}"/>`),
    ...clusters.flatMap(clusterElement),
    ...verification(model),
    '  </ClusteringModel>',
    '</PMML>',
    '',
  ].join('\n');
}

function dataField(name: string, most: number): readonly string[] {
  const margins = `leftMargin="-${String(most)}" rightMargin="${String(most)}"`;
  return [
    `    <DataField name="${name}" optype="continuous" dataType="double">`,
    `      <Interval closure="closedClosed" ${margins}/>`,
    '    </DataField>',
  ];
}

function derivedField(name: string, expression: readonly string[]): readonly string[] {
  return [
    `    <DerivedField name="${name}" optype="continuous" dataType="double">`,
    ...expression.map((line) => `      ${line}`),
    '    </DerivedField>',
  ];
}

function product(a: readonly string[], b: readonly string[]): readonly string[] {
  return ['<Apply function="*">', ...[...a, ...b].map((line) => `  ${line}`), '</Apply>'];
}

function turn(name: 'cos' | 'sin', field: string): readonly string[] {
  const radians = product(
    [`<FieldRef field="${field}"/>`],
    [`<Constant dataType="double">${String(RADIANS)}</Constant>`],
  );
  return [`<Apply function="${name}">`, ...radians.map((line) => `  ${line}`), '</Apply>'];
}

/** What PMML has no word for stands in extensions, which evaluators skip. */
function clusterElement(cluster: NamedCluster): readonly string[] {
  const { center, id, place, weight } = cluster;
  // A count; where older rows weigh less it is none.
  const size = Number.isInteger(weight) ? ` size="${String(weight)}"` : '';
  const name = place === null ? '' : ` name="${escaped(place.text)}"`;
  const extensions = (['longitude', 'latitude', 'weight', 'share', 'radiusKm'] as const).map(
    (key) => `      <Extension extender="geoflock" name="${key}" value="${String(cluster[key])}"/>`,
  );
  return [
    `    <Cluster id="${String(id)}"${name}${size}>`,
    ...extensions,
    `      <Array n="3" type="real">${center.map(String).join(' ')}</Array>`,
    '    </Cluster>',
  ];
}

function verification(model: Model): readonly string[] {
  const fields = ['longitude', 'latitude', 'cluster'];
  const predictor = new Predictor(model);
  const records = VERIFIED.filter(([east, north]) => isClear(model, east, north));
  if (records.length === 0) {
    return [];
  }
  return [
    `    <ModelVerification recordCount="${String(records.length)}" fieldCount="${String(fields.length)}">`,
    '      <VerificationFields>',
    ...fields.map((field) => `        <VerificationField field="${field}" column="${field}"/>`),
    '      </VerificationFields>',
    '      <InlineTable>',
    ...records.map(([longitude, latitude]) => {
      const cluster = predictor.predict(longitude, latitude).id;
      const cells = [longitude, latitude, cluster].map((value, column) => {
        const name = fields[column] as string;
        return `<${name}>${String(value)}</${name}>`;
      });
      return `        <row>${cells.join('')}</row>`;
    }),
    '      </InlineTable>',
    '    </ModelVerification>',
  ];
}

function isClear({ clusters }: Model, east: number, north: number): boolean {
  const position = unitVector({ longitude: longitude(east), latitude: latitude(north) });
  const distances = clusters.map(({ center }) =>
    center.reduce((sum, value, axis) => sum + (value - (position[axis] as number)) ** 2, 0),
  );
  const [least, second = Infinity] = distances.sort((a, b) => a - b) as [number, number?];
  return second - least > CLEAR;
}

/** For an attribute's value; characters that XML 1.0 cannot hold become U+FFFD. */
function escaped(text: string): string {
  return text.replace(
    /[&<>"]|[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]|[\t\n\r]/gu,
    (found) => ESCAPES[found] ?? '\uFFFD',
  );
}

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  '\t': '&#9;',
  '\n': '&#10;',
  '\r': '&#13;',
};
