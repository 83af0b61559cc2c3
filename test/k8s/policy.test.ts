import { expect } from 'chai';
import { ConfigurationError } from '../../src/config/errors.ts';
import { configurationOf, CONFIGURATION_RULES } from './configuration-rules.ts';
import { withValue, without } from './mutants.ts';
import type { Manifest } from './objects.ts';
import { POD_RULES } from './pod-rules.ts';
import { RELATION_RULES } from './relation-rules.ts';
import { needRenderer, OVERLAYS, render, renderWith } from './render.ts';

const RULES = { ...POD_RULES, ...RELATION_RULES, ...CONFIGURATION_RULES };
type RuleName = keyof typeof RULES;

const RULE_NAMES = Object.keys(RULES) as readonly RuleName[];

describe('the policy of the manifests', () => {
  before('find a renderer', function () {
    needRenderer(this);
  });

  for (const overlay of OVERLAYS) {
    describe(`of ${overlay}`, () => {
      for (const rule of RULE_NAMES) {
        it(rule, () => {
          expect(RULES[rule](render(overlay))).to.deep.equal([]);
        });
      }
    });
  }

  it('holds for AKS with the generator', () => {
    const objects = renderWith('overlays/aks', ['components/generator']);
    expect(RULE_NAMES.flatMap((rule) => RULES[rule](objects))).to.deep.equal([]);
  });

  describe('the configuration in the pods', () => {
    it('is what the overlays say, over the defaults', () => {
      const local = configurationOf(render('overlays/local'));
      expect(local.broker.kafka.brokers).to.deep.equal(['kafka:9092']);
      expect(local.input.directory).to.equal('/data');
      expect(local.statsd).to.include({ enabled: true, host: 'statsd-exporter', port: 8125 });
      const aks = configurationOf(render('overlays/aks'));
      expect(aks.input).to.include({ events: false, minimumAge: 5_000 });
      expect(aks.broker.kafka.sasl.password).to.be.a('string');
    });

    it('is refused with a slip of the pen', () => {
      const file = 'broker: { kind: kafka, kafka: { brokerz: [kafka:9092] } }\n';
      const objects = withValue(
        render('overlays/local'),
        'ConfigMap/geoflock-config',
        'data/production.yaml',
        file,
      );
      expect(() => configurationOf(objects)).to.throw(ConfigurationError, 'brokerz');
    });
  });

  describe('is broken', () => {
    const pod = 'spec/template/spec';
    const container = `${pod}/containers/0`;
    const set = 'StatefulSet/geoflock';
    const defaults = (text: string): readonly [string, string, unknown] => [
      'ConfigMap/geoflock-config',
      'data/default.yaml',
      text,
    ];
    const door = 'admin: { address: 0.0.0.0, tokenFile: /run/secrets/geoflock/token }';
    const labels = { 'app.kubernetes.io/name': 'another' };
    const mutants: readonly (readonly [RuleName, string, readonly [string, string, unknown]])[] = [
      ['resourcesAreBounded', 'no limit of memory', [set, `${container}/resources/limits/memory`, undefined]],
      [
        'resourcesAreBounded',
        'no requests',
        ['Deployment/generator', `${container}/resources/requests`, undefined],
      ],
      ['scratchIsBounded', 'a folder without end', ['StatefulSet/kafka', `${pod}/volumes/1/emptyDir`, {}]],
      ['serversAreProbed', 'no readiness', [set, `${container}/readinessProbe`, undefined]],
      ['probesReachPorts', 'a name of no port', [set, `${container}/livenessProbe/httpGet/port`, 'admin']],
      [
        'probesReachPorts',
        'another number',
        ['StatefulSet/kafka', `${container}/readinessProbe/tcpSocket/port`, 9093],
      ],
      ['podsHaveNoRights', 'root', [set, `${pod}/securityContext/runAsUser`, 0]],
      ['podsHaveNoRights', 'maybe root', [set, `${pod}/securityContext/runAsNonRoot`, undefined]],
      [
        'podsHaveNoRights',
        'a writable root',
        [set, `${container}/securityContext/readOnlyRootFilesystem`, false],
      ],
      [
        'podsHaveNoRights',
        'more rights',
        [set, `${container}/securityContext/allowPrivilegeEscalation`, undefined],
      ],
      [
        'podsHaveNoRights',
        'capabilities',
        [set, `${container}/securityContext/capabilities/drop`, ['NET_RAW']],
      ],
      ['podsHaveNoRights', 'one more', [set, `${container}/securityContext/capabilities/add`, ['NET_ADMIN']]],
      [
        'podsHaveNoRights',
        'privileges',
        ['StatefulSet/kafka', `${container}/securityContext/privileged`, true],
      ],
      [
        'podsHaveNoRights',
        'no seccomp',
        ['Deployment/generator', `${pod}/securityContext/seccompProfile`, undefined],
      ],
      ['podsHaveNoRights', 'the node’s network', ['StatefulSet/kafka', `${pod}/hostNetwork`, true]],
      [
        'podsHaveNoRights',
        'the node’s disk',
        [set, `${pod}/volumes/3`, { name: 'work', hostPath: { path: '/' } }],
      ],
      ['imagesAreTagged', 'latest', [set, `${container}/image`, 'geoflock:latest']],
      [
        'imagesAreTagged',
        'no tag',
        ['StatefulSet/kafka', `${container}/image`, 'registry.example:5000/apache/kafka'],
      ],
      ['nobodyHasTokens', 'a token', [set, `${pod}/automountServiceAccountToken`, undefined]],
      ['nobodyHasTokens', 'a token for all', ['ServiceAccount/kafka', 'automountServiceAccountToken', true]],
      ['nobodyHasTokens', 'rights', ['ServiceAccount/kafka', 'apiVersion', 'rbac.authorization.k8s.io/v1']],
      [
        'servicesLeaveTheEnvironmentAlone',
        'links',
        ['StatefulSet/kafka', `${pod}/enableServiceLinks`, undefined],
      ],
      ['everythingIsLabelled', 'no label', [set, 'metadata/labels', {}]],
      ['everythingIsLabelled', 'pods without one', [set, 'spec/template/metadata/labels', {}]],
      ['workloadsSelectTheirPods', 'other pods', [set, 'spec/selector/matchLabels', labels]],
      [
        'workloadsSelectTheirPods',
        'others spread',
        [set, `${pod}/topologySpreadConstraints/0/labelSelector`, { matchLabels: labels }],
      ],
      [
        'podsHaveOneOwner',
        'two owners',
        ['StatefulSet/kafka', 'spec/selector/matchLabels', { 'app.kubernetes.io/part-of': 'geoflock' }],
      ],
      ['selectorsFindPods', 'a Service for nobody', ['Service/geoflock', 'spec/selector', labels]],
      [
        'selectorsFindPods',
        'a budget for nobody',
        ['PodDisruptionBudget/geoflock', 'spec/selector/matchLabels', labels],
      ],
      [
        'selectorsFindPods',
        'a policy for nobody',
        ['NetworkPolicy/kafka', 'spec/podSelector/matchLabels', labels],
      ],
      [
        'selectorsFindPods',
        'a peer that is not',
        ['NetworkPolicy/kafka', 'spec/ingress/0/from/0/podSelector/matchLabels', labels],
      ],
      ['referencesExist', 'no ConfigMap', [set, `${pod}/volumes/0/configMap/name`, 'geoflock-config']],
      [
        'referencesExist',
        'no claim',
        ['Deployment/generator', `${pod}/volumes/0/persistentVolumeClaim/claimName`, 'csv'],
      ],
      ['referencesExist', 'no account', [set, `${pod}/serviceAccountName`, 'admin']],
      ['referencesExist', 'no Secret', [set, `${pod}/volumes/1/secret/secretName`, 'token']],
      [
        'referencesExist',
        'no Secret for a variable',
        [set, `${container}/env/0`, { name: 'A', valueFrom: { secretKeyRef: { name: 'b', key: 'c' } } }],
      ],
      ['mountsExist', 'no volume', [set, `${container}/volumeMounts/0/name`, 'conf']],
      ['servicesReachPorts', 'a port that is not', ['Service/geoflock', 'spec/ports/0/targetPort', 'admin']],
      ['setsHaveHeadlessServices', 'an address', ['Service/kafka', 'spec/clusterIP', undefined]],
      ['setsHaveHeadlessServices', 'another Service', [set, 'spec/serviceName', 'kafka']],
      ['denialIsTheDefault', 'one way only', ['NetworkPolicy/default-deny', 'spec/policyTypes', ['Ingress']]],
      ['portsAreOpenToSome', 'to nobody', ['NetworkPolicy/kafka', 'spec/ingress', []]],
      ['portsAreOpenToSome', 'to everybody', ['NetworkPolicy/kafka', 'spec/ingress/0/from', undefined]],
      [
        'portsAreOpenToSome',
        'another port',
        ['NetworkPolicy/statsd-exporter', 'spec/ingress/0/ports/0/protocol', 'TCP'],
      ],
      [
        'whoMayAskIsHeard',
        'one side only',
        ['NetworkPolicy/kafka', 'spec/ingress/0/from', [{ podSelector: { matchLabels: labels } }]],
      ],
      ['budgetsAllowDrains', 'nobody may go', ['PodDisruptionBudget/geoflock', 'spec/maxUnavailable', 0]],
      ['budgetsAllowDrains', 'one alone', [set, 'spec/replicas', 1]],
      ['namespaceIsRestricted', 'any pods', ['Namespace/geoflock', 'metadata/labels', {}]],
      ['namespaceIsRestricted', 'elsewhere', [set, 'metadata/namespace', 'default']],
      ['graceCoversTheDrain', 'too short', [set, `${pod}/terminationGracePeriodSeconds`, 30]],
      [
        'graceCoversTheDrain',
        'a longer drain',
        [set, `${container}/env`, [{ name: 'GEOFLOCK_SHUTDOWN_DEADLINE', value: '60s' }]],
      ],
      ['graceCoversTheDrain', 'no preStop', [set, `${container}/lifecycle`, undefined]],
      [
        'probesAreMorePatient',
        'unready is dead',
        [set, `${container}/livenessProbe/httpGet/path`, '/readyz'],
      ],
      ['probesAreMorePatient', 'alive is ready', [set, `${container}/readinessProbe/httpGet/path`, '/livez']],
      [
        'probesAreMorePatient',
        'brokers that are late',
        [set, `${container}/startupProbe/failureThreshold`, 30],
      ],
      ['probesAreMorePatient', 'a longer wait', defaults(`broker: { wait: 10m }\n${door}`)],
      [
        'probesAreMorePatient',
        'faster than the guard',
        [set, `${container}/livenessProbe/failureThreshold`, 2],
      ],
      ['doorIsWhereItIsAsked', 'inside only', defaults('admin: { address: 127.0.0.1 }')],
      ['doorIsWhereItIsAsked', 'another port', defaults(door.replace('tokenFile', 'port: 8000, tokenFile'))],
      ['doorIsWhereItIsAsked', 'no name', defaults(door)],
      ['brokersAreServed', 'another port', ['Service/kafka', 'spec/ports/0/port', 9094]],
      ['brokersAreServed', 'state in the pod', defaults(`broker: { kind: embedded }\n${door}`)],
      ['replicasHaveWork', 'too many', [set, 'spec/replicas', 9]],
      [
        'filesAreShared',
        'another folder',
        ['Deployment/generator', `${pod}/volumes/0/persistentVolumeClaim/claimName`, 'csv'],
      ],
      ['filesAreShared', 'no room', [set, `${container}/volumeMounts/3/mountPath`, '/var/lib/other']],
    ];
    for (const [rule, what, [object, at, value]] of mutants) {
      it(`${rule}: ${what}`, () => {
        const objects = withValue(render('overlays/local'), object, at, value);
        expect(RULES[rule](objects)).to.have.lengthOf.at.least(1);
      });
    }

    it('denialIsTheDefault: no such policy', () => {
      const objects = without(render('overlays/local'), 'NetworkPolicy/default-deny');
      expect(RULES.denialIsTheDefault(objects)).to.have.lengthOf(1);
    });

    it('each rule by one of these', () => {
      const broken = new Set(mutants.map(([rule]) => rule));
      expect(RULE_NAMES.filter((rule) => !broken.has(rule))).to.deep.equal([]);
    });
  });

  it('takes an image by its digest', () => {
    const image = `geoflock@sha256:${'0'.repeat(64)}`;
    const objects: readonly Manifest[] = withValue(
      render('overlays/local'),
      'Deployment/generator',
      'spec/template/spec/containers/0/image',
      image,
    );
    expect(RULES.imagesAreTagged(objects)).to.deep.equal([]);
  });
});
