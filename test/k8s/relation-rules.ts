/** What the objects say of each other. Each rule tells what breaks it, one sentence each. */
import {
  budgets,
  containersOf,
  type LabelSelector,
  type Manifest,
  nameOf,
  networkPolicies,
  type Peer,
  portOf,
  selected,
  selects,
  services,
  workloads,
} from './objects.ts';
import type { Rule } from './pod-rules.ts';

/** Made by hand before an overlay is applied, as k8s/overlays/aks/kustomization.yaml says. */
const MADE_BY_HAND: readonly string[] = ['Secret/geoflock-admin', 'Secret/geoflock-kafka'];

/** A workload takes its own pods for its own, and spreads those. */
const workloadsSelectTheirPods: Rule = (objects) =>
  workloads(objects).flatMap((workload) => {
    const { selector, template } = workload.spec;
    const { labels } = template.metadata;
    const spreads = template.spec.topologySpreadConstraints ?? [];
    const isEmpty = Object.keys(selector.matchLabels ?? {}).length === 0;
    return [
      ...(isEmpty || !selects(selector.matchLabels, labels) ? ['does not select its pods'] : []),
      ...spreads
        .filter(({ labelSelector }) => !selects(labelSelector?.matchLabels, labels))
        .map(({ topologyKey }) => `spreads other pods over ${topologyKey}`),
    ].map((problem) => `${nameOf(workload)} ${problem}`);
  });

/** Two workloads never take each other's pods. */
const podsHaveOneOwner: Rule = (objects) =>
  workloads(objects).flatMap((workload) => {
    const others = selected(objects, workload.spec.selector.matchLabels).filter(
      (other) => other !== workload,
    );
    return others.map((other) => `${nameOf(workload)} selects the pods of ${nameOf(other)}`);
  });

/** Who refers to pods refers to some that there are. */
const selectorsFindPods: Rule = (objects) => {
  const missing = (what: string, selector: LabelSelector | undefined): readonly string[] =>
    selected(objects, selector?.matchLabels).length > 0 ? [] : [`${what} selects no pod`];
  return [
    ...services(objects).flatMap((one) => missing(nameOf(one), { matchLabels: one.spec.selector ?? {} })),
    ...budgets(objects).flatMap((one) => missing(nameOf(one), one.spec.selector)),
    ...networkPolicies(objects).flatMap((one) => {
      const { egress = [], ingress = [], podSelector } = one.spec;
      const peers = [...ingress.flatMap(({ from = [] }) => from), ...egress.flatMap(({ to = [] }) => to)];
      return [
        ...missing(nameOf(one), podSelector),
        // What is in other namespaces is not known here.
        ...peers
          .filter(({ namespaceSelector }: Peer) => namespaceSelector === undefined)
          .flatMap((peer) => missing(`a peer of ${nameOf(one)}`, peer.podSelector)),
      ];
    }),
  ];
};

/** What a pod needs is there, or on the short list of what is made by hand. */
const referencesExist: Rule = (objects) => {
  const there = new Set([...objects.map(nameOf), ...MADE_BY_HAND]);
  const wanted: (readonly [string, string])[] = [
    ...workloads(objects).flatMap((workload) => {
      const { serviceName, template } = workload.spec;
      const { serviceAccountName, volumes = [] } = template.spec;
      return [
        ['ServiceAccount', serviceAccountName ?? 'default'],
        ...(workload.kind === 'StatefulSet' ? [['Service', serviceName ?? '(none)']] : []),
        ...volumes.flatMap(({ configMap, persistentVolumeClaim, secret }) => [
          ...(configMap === undefined ? [] : [['ConfigMap', configMap.name]]),
          ...(secret === undefined ? [] : [['Secret', secret.secretName]]),
          ...(persistentVolumeClaim === undefined
            ? []
            : [['PersistentVolumeClaim', persistentVolumeClaim.claimName]]),
        ]),
      ].map(([kind = '', name = '']) => [nameOf(workload), `${kind}/${name}`] as const);
    }),
    ...containersOf(objects).flatMap(({ at, container: { env = [], envFrom = [] } }) =>
      [
        ...env.flatMap(({ valueFrom }) => [
          ['Secret', valueFrom?.secretKeyRef?.name],
          ['ConfigMap', valueFrom?.configMapKeyRef?.name],
        ]),
        ...envFrom.flatMap(({ configMapRef, secretRef }) => [
          ['Secret', secretRef?.name],
          ['ConfigMap', configMapRef?.name],
        ]),
      ]
        .filter(([, name]) => name !== undefined)
        .map(([kind = '', name = '']) => [at, `${kind}/${name}`] as const),
    ),
  ];
  return wanted.filter(([, name]) => !there.has(name)).map(([who, name]) => `${who} needs ${name}`);
};

/** What is mounted is a volume of the pod or of the set. */
const mountsExist: Rule = (objects) =>
  workloads(objects).flatMap((workload) => {
    const { template, volumeClaimTemplates = [] } = workload.spec;
    const { containers, initContainers = [], volumes = [] } = template.spec;
    const there = [
      ...volumes.map(({ name }) => name),
      ...volumeClaimTemplates.map(({ metadata }) => metadata.name),
    ];
    return [...initContainers, ...containers]
      .flatMap(({ volumeMounts = [] }) => volumeMounts)
      .filter(({ name }) => !there.includes(name))
      .map(({ name }) => `${nameOf(workload)} mounts ${name}, and has no such volume`);
  });

/** A Service leads to a port of the pods that it selects. */
const servicesReachPorts: Rule = (objects) =>
  services(objects).flatMap((service) =>
    selected(objects, service.spec.selector).flatMap((workload) =>
      (service.spec.ports ?? [])
        .map(({ port, protocol, targetPort = port }) => ({ protocol, targetPort }))
        .filter(
          ({ protocol, targetPort }) =>
            portOf(workload.spec.template.spec.containers, targetPort, protocol) === undefined,
        )
        .map(({ targetPort }) => `${nameOf(service)}: ${nameOf(workload)} has no port ${String(targetPort)}`),
    ),
  );

/** Each pod of a set has a name of its own: its Service has no address in front of them. */
const setsHaveHeadlessServices: Rule = (objects) =>
  workloads(objects)
    .filter(({ kind }) => kind === 'StatefulSet')
    .flatMap((workload) => {
      const service = services(objects).find(({ metadata }) => metadata.name === workload.spec.serviceName);
      const leadsHere = service !== undefined && selected(objects, service.spec.selector).includes(workload);
      return service?.spec.clusterIP === 'None' && leadsHere
        ? []
        : [`${nameOf(workload)} has no headless Service of its own`];
    });

/** Without a policy that says so, nobody in the namespace may be asked, or ask. */
const denialIsTheDefault: Rule = (objects) => {
  const denies = networkPolicies(objects).some(
    ({ spec: { egress, ingress, podSelector, policyTypes = [] } }) =>
      Object.keys(podSelector.matchLabels ?? {}).length === 0 &&
      ['Ingress', 'Egress'].every((type) => policyTypes.includes(type)) &&
      egress === undefined &&
      ingress === undefined,
  );
  return denies ? [] : ['no NetworkPolicy denies by default'];
};

/** Each port of each pod may be asked by somebody, and by nobody from anywhere; no policy opens what is not there. */
const portsAreOpenToSome: Rule = (objects) => {
  const opened = networkPolicies(objects).flatMap(({ metadata, spec: { ingress = [], podSelector } }) =>
    ingress.flatMap(({ from = [], ports = [] }) =>
      ports.map(({ port, protocol }) => ({ by: metadata.name, from, podSelector, port, protocol })),
    ),
  );
  return [
    ...workloads(objects).flatMap((workload) => {
      const { metadata, spec } = workload.spec.template;
      return spec.containers
        .flatMap(({ ports = [] }) => ports)
        .filter(
          (port) =>
            !opened.some(
              (one) =>
                one.from.length > 0 &&
                selects(one.podSelector.matchLabels, metadata.labels) &&
                portOf([{ name: '', ports: [port] }], one.port, one.protocol) !== undefined,
            ),
        )
        .map(({ containerPort }) => `nobody may ask ${nameOf(workload)} at ${String(containerPort)}`);
    }),
    ...opened
      .filter(({ from }) => from.length === 0)
      .map(({ by }) => `NetworkPolicy/${by} lets everybody in`),
    ...opened.flatMap(({ by, podSelector, port, protocol }) =>
      selected(objects, podSelector.matchLabels)
        .filter(({ spec }) => portOf(spec.template.spec.containers, port, protocol) === undefined)
        .map((workload) => `NetworkPolicy/${by} opens ${String(port)}, which ${nameOf(workload)} has not`),
    ),
  ];
};

/** Where one pod may ask another, the other may be asked. */
const whoMayAskIsHeard: Rule = (objects) =>
  networkPolicies(objects).flatMap(({ metadata, spec: { egress = [], podSelector } }) =>
    egress.flatMap(({ ports = [], to = [] }) =>
      to
        .filter(({ namespaceSelector }) => namespaceSelector === undefined)
        .flatMap((peer) => selected(objects, peer.podSelector?.matchLabels))
        .flatMap((target) =>
          ports
            .filter(({ port }) => !isHeard(objects, podSelector, target, port))
            .map(
              ({ port }) =>
                `NetworkPolicy/${metadata.name} leads to ${nameOf(target)} at ${String(port)}, unheard`,
            ),
        ),
    ),
  );

function isHeard(
  objects: readonly Manifest[],
  asking: LabelSelector,
  target: ReturnType<typeof workloads>[number],
  port: number | string | undefined,
): boolean {
  const { labels } = target.spec.template.metadata;
  return networkPolicies(objects)
    .filter(({ spec }) => selects(spec.podSelector.matchLabels, labels))
    .flatMap(({ spec }) => spec.ingress ?? [])
    .some(
      ({ from = [], ports = [] }) =>
        ports.some((one) => one.port === port) &&
        from.some(
          ({ namespaceSelector, podSelector }) =>
            namespaceSelector === undefined && selects(podSelector?.matchLabels, asking.matchLabels),
        ),
    );
}

/** A drain of nodes takes some pods, and gets on. */
const budgetsAllowDrains: Rule = (objects) =>
  budgets(objects).flatMap((budget) => {
    const { maxUnavailable, selector } = budget.spec;
    const pods = selected(objects, selector.matchLabels).reduce(
      (sum, { spec }) => sum + (spec.replicas ?? 1),
      0,
    );
    const gets = maxUnavailable === 1 && pods > 1;
    return gets ? [] : [`${nameOf(budget)} lets ${String(maxUnavailable)} of ${String(pods)} go at a time`];
  });

const CLUSTER_WIDE = ['Namespace', 'StorageClass'];

/** Everything is in the one namespace, in which only restricted pods may run. */
const namespaceIsRestricted: Rule = (objects) => {
  const namespace = objects.find(({ kind }) => kind === 'Namespace');
  const enforced = namespace?.metadata.labels?.['pod-security.kubernetes.io/enforce'];
  return [
    ...(enforced === 'restricted' ? [] : ['the namespace takes pods that are not restricted']),
    ...objects
      .filter(
        ({ kind, metadata }) =>
          !CLUSTER_WIDE.includes(kind) && metadata.namespace !== namespace?.metadata.name,
      )
      .map((object) => `${nameOf(object)} is in another namespace`),
  ];
};

export const RELATION_RULES = {
  workloadsSelectTheirPods,
  podsHaveOneOwner,
  selectorsFindPods,
  referencesExist,
  mountsExist,
  servicesReachPorts,
  setsHaveHeadlessServices,
  denialIsTheDefault,
  portsAreOpenToSome,
  whoMayAskIsHeard,
  budgetsAllowDrains,
  namespaceIsRestricted,
} satisfies Record<string, Rule>;
