import { SaxesParser } from 'saxes';

/** An element of an XML document; text only where there are no children. */
export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: Element[];
  text: string;
}

/** @throws Error when it is not well-formed. */
export function parseXml(text: string): Element {
  const root: Element = { name: '', attributes: {}, children: [], text: '' };
  const open: Element[] = [root];
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ attributes, name }) => {
    const element = { name, attributes, children: [], text: '' };
    open.at(-1)?.children.push(element);
    open.push(element);
  });
  parser.on('text', (piece) => {
    (open.at(-1) as Element).text += piece;
  });
  parser.on('closetag', () => {
    open.pop();
  });
  parser.write(text).close();
  return root.children[0] as Element;
}

export function child({ children, name: parent }: Element, name: string): Element {
  const found = children.find((one) => one.name === name);
  if (found === undefined) {
    throw new Error(`<${parent}> has no <${name}>`);
  }
  return found;
}

export function childrenOf({ children }: Element, name: string): readonly Element[] {
  return children.filter((one) => one.name === name);
}

interface Rule {
  /** Content, as a regular expression over the children's names, each followed by a space. */
  readonly content: RegExp;
  /** Attributes by a pattern of their values; those that must be there are marked. */
  readonly attributes: Readonly<Record<string, RegExp>>;
  readonly required: readonly string[];
}

const NAME = /^\S(?:.*\S)?$/;
const WHOLE = /^\d+$/;
const REAL = /^-?(?:\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)$/;
const rule = (
  content: RegExp,
  attributes: Rule['attributes'] = {},
  optional: readonly string[] = [],
): Rule => ({
  content,
  attributes,
  required: Object.keys(attributes).filter((name) => !optional.includes(name)),
});
const CONTINUOUS = { name: NAME, optype: /^continuous$/, dataType: /^double$/ };

/** What the schema of PMML 4.4 says of the elements that a ClusteringModel of ours is made of. */
const RULES: Readonly<Record<string, Rule>> = {
  PMML: rule(/^Header (MiningBuildTask )?DataDictionary (TransformationDictionary )?(ClusteringModel )+$/, {
    xmlns: /^http:\/\/www\.dmg\.org\/PMML-4_4$/,
    version: /^4\.4$/,
  }),
  Header: rule(/^(Extension )*(Application )?(Annotation )*(Timestamp )?$/, { description: NAME }),
  Application: rule(/^(Extension )*$/, { name: NAME, version: NAME }),
  DataDictionary: rule(/^(Extension )*(DataField )+(Taxonomy )*$/, { numberOfFields: WHOLE }),
  DataField: rule(/^(Extension )*(Interval )*(Value )*$/, CONTINUOUS),
  Interval: rule(/^$/, {
    closure: /^(open|closed)(Open|Closed)$/,
    leftMargin: REAL,
    rightMargin: REAL,
  }),
  TransformationDictionary: rule(/^(Extension )*(DefineFunction )*(DerivedField )*$/),
  DerivedField: rule(/^(Extension )*(Apply |FieldRef |Constant )(Value )*$/, CONTINUOUS),
  Apply: rule(/^(Extension )*(Apply |FieldRef |Constant )+$/, { function: /^(\*|sin|cos)$/ }),
  FieldRef: rule(/^(Extension )?$/, { field: NAME }),
  Constant: rule(/^$/, { dataType: /^double$/ }),
  ClusteringModel: rule(
    /^(Extension )*MiningSchema (Output )?(ModelStats )?(ModelExplanation )?(LocalTransformations )?ComparisonMeasure (ClusteringField )+(MissingValueWeights )?(Cluster )+(ModelVerification )?(Extension )*$/,
    {
      modelName: NAME,
      functionName: /^clustering$/,
      modelClass: /^(centerBased|distributionBased)$/,
      numberOfClusters: WHOLE,
    },
  ),
  MiningSchema: rule(/^(Extension )*(MiningField )+$/),
  MiningField: rule(/^(Extension )*$/, { name: NAME }),
  Output: rule(/^(Extension )*(OutputField )+$/),
  OutputField: rule(/^(Extension )*$/, {
    name: NAME,
    optype: /^categorical$/,
    dataType: /^string$/,
    feature: /^predictedValue$/,
  }),
  ComparisonMeasure: rule(/^(Extension )*(euclidean |squaredEuclidean |cityBlock |chebychev )$/, {
    kind: /^(distance|similarity)$/,
    compareFunction: /^(absDiff|gaussSim|delta|equal|table)$/,
  }),
  squaredEuclidean: rule(/^(Extension )*$/),
  ClusteringField: rule(/^(Extension )*$/, { field: NAME }),
  Cluster: rule(
    /^(Extension )*(KohonenMap )?(Array )?(Partition )?(Covariances )?$/,
    { id: NAME, name: NAME, size: WHOLE },
    ['name', 'size'],
  ),
  Extension: rule(/^$/, { extender: NAME, name: NAME, value: NAME }),
  Array: rule(/^$/, { n: WHOLE, type: /^(int|real|string)$/ }),
  ModelVerification: rule(/^(Extension )*VerificationFields InlineTable $/, {
    recordCount: WHOLE,
    fieldCount: WHOLE,
  }),
  VerificationFields: rule(/^(Extension )*(VerificationField )+$/),
  VerificationField: rule(/^(Extension )*$/, { field: NAME, column: NAME }),
  InlineTable: rule(/^(Extension )*(row )*$/),
  row: rule(/^longitude latitude cluster $/),
  longitude: rule(/^$/),
  latitude: rule(/^$/),
  cluster: rule(/^$/),
};

/** How an element, or one in it, breaks the rules of the schema. */
export function offences(element: Element): readonly string[] {
  const { attributes, children, name } = element;
  const found: string[] = [];
  const own = RULES[name];
  if (own === undefined) {
    return [`<${name}> is not known`];
  }
  const content = children.map((one) => `${one.name} `).join('');
  if (!own.content.test(content)) {
    found.push(`<${name}> holds ${content}`);
  }
  if (children.length > 0 && element.text.trim() !== '') {
    found.push(`<${name}> holds text`);
  }
  for (const [attribute, value] of Object.entries(attributes)) {
    if (own.attributes[attribute]?.test(value) !== true) {
      found.push(`<${name} ${attribute}="${value}">`);
    }
  }
  for (const attribute of own.required) {
    if (!(attribute in attributes)) {
      found.push(`<${name}> has no ${attribute}`);
    }
  }
  return [...found, ...children.flatMap(offences)];
}

/** A cluster's id for a position, by nothing but what the document says. */
export function evaluator(document: Element): (longitude: number, latitude: number) => string {
  const model = child(document, 'ClusteringModel');
  const derived = new Map(
    childrenOf(child(document, 'TransformationDictionary'), 'DerivedField').map((field) => [
      field.attributes['name'],
      field.children[0] as Element,
    ]),
  );
  const fields = childrenOf(model, 'ClusteringField').map(({ attributes }) => attributes['field'] as string);
  const clusters = childrenOf(model, 'Cluster').map((cluster) => ({
    id: cluster.attributes['id'] as string,
    center: child(cluster, 'Array').text.trim().split(/\s+/).map(Number),
  }));
  child(child(model, 'ComparisonMeasure'), 'squaredEuclidean');
  return (longitude, latitude) => {
    const given: Readonly<Record<string, number>> = { longitude, latitude };
    const valueOf = (expression: Element): number => {
      switch (expression.name) {
        case 'Constant':
          return Number(expression.text);
        case 'FieldRef':
          return given[expression.attributes['field'] as string] ?? Number.NaN;
        case 'Apply':
          return apply(expression.attributes['function'] as string, expression.children.map(valueOf));
        default:
          throw new Error(`unknown expression <${expression.name}>`);
      }
    };
    const point = fields.map((field) => valueOf(derived.get(field) as Element));
    const distances = clusters.map(({ center }) =>
      center.reduce((sum, value, axis) => sum + (value - (point[axis] as number)) ** 2, 0),
    );
    const least = Math.min(...distances);
    return (clusters[distances.indexOf(least)] as { readonly id: string }).id;
  };
}

function apply(name: string, values: readonly number[]): number {
  const [first, second] = values as [number, number];
  switch (name) {
    case '*':
      return first * second;
    case 'sin':
      return Math.sin(first);
    case 'cos':
      return Math.cos(first);
    default:
      throw new Error(`unknown function ${name}`);
  }
}
