/** What every pod keeps to. Each rule tells what breaks it, one sentence each. */
import {
  type Container,
  containersOf,
  type Manifest,
  nameOf,
  type Probe,
  portOf,
  workloads,
} from './objects.ts';

export type Rule = (objects: readonly Manifest[]) => readonly string[];

/** Someone can tell what a pod needs, and none takes what others need. */
const resourcesAreBounded: Rule = (objects) =>
  containersOf(objects).flatMap(({ at, container: { resources = {} } }) =>
    (['requests', 'limits'] as const).flatMap((kind) =>
      ['cpu', 'memory']
        .filter((what) => resources[kind]?.[what] === undefined)
        .map((what) => `${at} has no ${kind} of ${what}`),
    ),
  );

/** A folder in memory or on the node's disk has an end. */
const scratchIsBounded: Rule = (objects) =>
  workloads(objects).flatMap((workload) =>
    (workload.spec.template.spec.volumes ?? [])
      .filter(({ emptyDir }) => emptyDir !== undefined && emptyDir.sizeLimit === undefined)
      .map(({ name }) => `${nameOf(workload)} has no limit for ${name}`),
  );

const PROBES = ['startupProbe', 'livenessProbe', 'readinessProbe'] as const;

/** Who serves is asked whether it started, lives and is ready. */
const serversAreProbed: Rule = (objects) =>
  containersOf(objects)
    .filter(({ container: { ports = [] } }) => ports.length > 0)
    .flatMap(({ at, container }) =>
      PROBES.filter((probe) => container[probe] === undefined).map((probe) => `${at} has no ${probe}`),
    );

/** A probe asks a port that its container has. */
const probesReachPorts: Rule = (objects) =>
  containersOf(objects).flatMap(({ at, container }) =>
    PROBES.flatMap((probe) => {
      const asked = portOfProbe(container[probe]);
      const there = asked === undefined || portOf([container], asked) !== undefined;
      return there ? [] : [`${at}: its ${probe} asks ${String(asked)}, which is no port of it`];
    }),
  );

function portOfProbe(probe: Probe | undefined): number | string | undefined {
  return probe?.httpGet?.port ?? probe?.tcpSocket?.port;
}

/** What Kubernetes calls restricted, and a root file system that nobody writes to. */
const podsHaveNoRights: Rule = (objects) => [
  ...workloads(objects).flatMap((workload) => {
    const { hostIPC, hostNetwork, hostPID, volumes = [] } = workload.spec.template.spec;
    return [
      ...(hostIPC === true || hostNetwork === true || hostPID === true ? ['shares what is the node’s'] : []),
      ...(volumes.some(({ hostPath }) => hostPath !== undefined) ? ['mounts a folder of the node'] : []),
    ].map((problem) => `${nameOf(workload)} ${problem}`);
  }),
  ...containersOf(objects).flatMap(({ at, container: { securityContext: own = {} }, pod }) => {
    const context = { ...pod.securityContext, ...own };
    const { capabilities } = own;
    return [
      context.runAsNonRoot === true ? '' : 'may run as root',
      (context.runAsUser ?? 0) > 0 ? '' : 'has no user',
      own.readOnlyRootFilesystem === true ? '' : 'may write to its root',
      own.allowPrivilegeEscalation === false ? '' : 'may gain rights',
      own.privileged === true ? 'is privileged' : '',
      capabilities?.drop?.includes('ALL') === true ? '' : 'keeps capabilities',
      capabilities?.add === undefined ? '' : 'adds capabilities',
      context.seccompProfile?.type === 'RuntimeDefault' ? '' : 'may make any system call',
    ]
      .filter((problem) => problem !== '')
      .map((problem) => `${at} ${problem}`);
  }),
];

/** The same manifest starts the same program tomorrow. */
const imagesAreTagged: Rule = (objects) =>
  containersOf(objects).flatMap(({ at, container: { image = '' } }) => {
    const [, tag, digest] = /^[^@]*?(?::([^:/@]+))?(@sha256:[0-9a-f]{64})?$/.exec(image) ?? [];
    return digest !== undefined || (tag !== undefined && tag !== 'latest')
      ? []
      : [`${at} takes any "${image}"`];
  });

/** Nothing here asks Kubernetes' API. */
const nobodyHasTokens: Rule = (objects) => [
  ...workloads(objects)
    .filter(({ spec }) => spec.template.spec.automountServiceAccountToken !== false)
    .map((workload) => `${nameOf(workload)} gets a token of the API`),
  ...objects
    .filter(({ automountServiceAccountToken: mounts, kind }) => kind === 'ServiceAccount' && mounts !== false)
    .map((account) => `${nameOf(account)} gives its token to every pod`),
  ...objects
    .filter(({ apiVersion }) => apiVersion.startsWith('rbac.authorization.k8s.io/'))
    .map((object) => `${nameOf(object)} is about rights, and nobody needs any`),
];

/**
 * A Service called kafka puts KAFKA_PORT into the environment of all pods, which the image of Kafka takes for a
 * setting; one called geoflock the like.
 */
const servicesLeaveTheEnvironmentAlone: Rule = (objects) =>
  workloads(objects)
    .filter(({ spec }) => spec.template.spec.enableServiceLinks !== false)
    .map((workload) => `${nameOf(workload)} gets variables of all Services`);

/** Everything can be found by the usual labels. */
const everythingIsLabelled: Rule = (objects) => {
  const wanted = (name: string): string => `app.kubernetes.io/${name}`;
  return [
    ...objects
      .filter(({ metadata }) => metadata.labels?.[wanted('part-of')] !== 'geoflock')
      .map((object) => `${nameOf(object)} is not labelled as part of geoflock`),
    ...workloads(objects).flatMap((workload) =>
      ['name', 'component', 'part-of']
        .filter((label) => workload.spec.template.metadata.labels?.[wanted(label)] === undefined)
        .map((label) => `pods of ${nameOf(workload)} have no label ${label}`),
    ),
  ];
};

/** For so long a probe may fail before something follows from it, in ms. */
export function patienceMs(probe: Container['livenessProbe']): number {
  const { failureThreshold = 3, initialDelaySeconds = 0, periodSeconds = 10 } = probe ?? {};
  return 1_000 * (initialDelaySeconds + periodSeconds * failureThreshold);
}

export const POD_RULES = {
  resourcesAreBounded,
  scratchIsBounded,
  serversAreProbed,
  probesReachPorts,
  podsHaveNoRights,
  imagesAreTagged,
  nobodyHasTokens,
  servicesLeaveTheEnvironmentAlone,
  everythingIsLabelled,
} satisfies Record<string, Rule>;
