import { expect } from 'chai';
import { withValue } from './mutants.ts';
import { type Manifest, nameOf } from './objects.ts';
import { needRenderer, OVERLAYS, render, renderWith } from './render.ts';
import { needSchemas, schemasOf, VERSIONS } from './schemas.ts';

describe('the manifests', () => {
  let local: readonly Manifest[];

  before('render', function () {
    needRenderer(this);
    needSchemas(this);
    local = render('overlays/local');
  });

  function problems(objects: readonly Manifest[], version: string): readonly string[] {
    const schemas = schemasOf(version);
    return objects.flatMap((one) => schemas.problems(one).map((problem) => `${nameOf(one)}: ${problem}`));
  }

  for (const version of VERSIONS) {
    for (const overlay of OVERLAYS) {
      it(`of ${overlay} are what Kubernetes ${version} takes`, () => {
        const objects = render(overlay);
        expect(objects.map(nameOf)).to.include.members([
          'StatefulSet/geoflock',
          'NetworkPolicy/default-deny',
        ]);
        expect(problems(objects, version)).to.deep.equal([]);
      });
    }
  }

  it('of AKS can have the generator too', () => {
    const objects = renderWith('overlays/aks', ['components/generator']);
    expect(objects.map(nameOf)).to.include('Deployment/generator');
    expect(problems(objects, '1.34')).to.deep.equal([]);
  });

  it('have no object twice', () => {
    for (const overlay of OVERLAYS) {
      const names = render(overlay).map(nameOf);
      expect(names).to.deep.equal([...new Set(names)]);
    }
  });

  const container = 'spec/template/spec/containers/0';
  const probe = { httpGet: { path: '/readyz', port: 8470 } };
  for (const [what, object, at, value, said] of [
    [
      'a field with a slip of the pen',
      'StatefulSet/geoflock',
      'spec/podManagmentPolicy',
      'Parallel',
      'podManagmentPolicy',
    ],
    [
      'a probe beside the containers',
      'StatefulSet/geoflock',
      'spec/template/spec/readinessProbe',
      probe,
      'readinessProbe',
    ],
    ['a number as text', 'StatefulSet/geoflock', 'spec/replicas', '2', 'integer'],
    [
      'a list where one value belongs',
      'Deployment/generator',
      `${container}/image`,
      ['geoflock:0.1.0'],
      'string',
    ],
    ['a field of another object', 'Service/geoflock', 'spec/replicas', 2, 'replicas'],
    ['a selector that is not there', 'StatefulSet/geoflock', 'spec/selector', undefined, 'selector'],
    ['a variable that is a number', 'StatefulSet/kafka', `${container}/env/0/value`, 1, 'string'],
    [
      'an unknown security setting',
      'StatefulSet/kafka',
      `${container}/securityContext/readOnlyRootFileSystem`,
      true,
      'readOnlyRootFileSystem',
    ],
    [
      'a kind in a group that lacks it',
      'PodDisruptionBudget/geoflock',
      'apiVersion',
      'policy/v1beta1',
      'no kind',
    ],
  ] as const) {
    it(`with ${what} are refused`, () => {
      const refused = problems(withValue(local, object, at, value), '1.34');
      expect(refused, refused.join('\n')).to.have.lengthOf.at.least(1);
      expect(refused.join('\n')).to.include(said);
    });
  }
});
