/** What the configuration says, as the pods read it, against what is around them. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadConfiguration } from '../../src/config/load.ts';
import type { Configuration } from '../../src/config/schema.ts';
import {
  type Container,
  type EnvironmentVariable,
  type Manifest,
  type PodSpec,
  portOf,
  services,
  workloads,
} from './objects.ts';
import { patienceMs, type Rule } from './pod-rules.ts';

const DOCKERFILE = path.resolve(import.meta.dirname, '../../Dockerfile');
/** Stands for what a Secret holds. */
const SECRET = 'a-secret-of-enough-characters';

interface Replica {
  readonly pod: PodSpec;
  readonly container: Container;
}

/** The pods of the pipeline. */
function replicaOf(objects: readonly Manifest[]): Replica {
  const set = workloads(objects).find(
    ({ kind, metadata }) => kind === 'StatefulSet' && metadata.name === 'geoflock',
  );
  const pod = set?.spec.template.spec;
  const container = pod?.containers.find(({ name }) => name === 'geoflock');
  if (pod === undefined || container === undefined) {
    throw new Error('there is no StatefulSet/geoflock with a container geoflock');
  }
  return { pod, container };
}

/**
 * What `run --config FOLDER` reads in a pod: the ConfigMap that is mounted there, under the environment of the
 * image and of the container.
 * @throws ConfigurationError
 */
export function configurationOf(objects: readonly Manifest[]): Configuration {
  const { pod, container } = replicaOf(objects);
  const { args = [], env = [], volumeMounts = [] } = container;
  const at = args[args.indexOf('--config') + 1];
  const mount = volumeMounts.find(({ mountPath }) => mountPath === at);
  const volume = pod.volumes?.find(({ name }) => name === mount?.name);
  const map = objects.find(
    ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === volume?.configMap?.name,
  );
  if (map?.data === undefined) {
    throw new Error(`no ConfigMap is mounted at ${String(at)}`);
  }
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-k8s-'));
  try {
    for (const [file, content] of Object.entries(map.data)) {
      fs.writeFileSync(path.join(directory, file), content);
    }
    const environment = { ...imageEnvironment(), ...environmentOf(env) };
    return loadConfiguration({ directory, environment }).configuration;
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

/** As the kubelet makes it: what stands before can be named as `$(NAME)`. */
function environmentOf(variables: readonly EnvironmentVariable[]): Readonly<Record<string, string>> {
  const environment: Record<string, string> = {};
  for (const { name, value = '', valueFrom } of variables) {
    const known = valueFrom?.fieldRef === undefined ? SECRET : 'geoflock-0';
    environment[name] =
      valueFrom === undefined
        ? value.replaceAll(/\$\((\w+)\)/g, (whole, other: string) => environment[other] ?? whole)
        : known;
  }
  return environment;
}

/** What the Dockerfile sets for whatever runs. */
function imageEnvironment(): Readonly<Record<string, string>> {
  const [block = ''] = /^ENV NODE_ENV=(?:.*\\\n)*.*$/m.exec(fs.readFileSync(DOCKERFILE, 'utf8')) ?? [];
  return Object.fromEntries(
    [...block.matchAll(/([A-Z_]+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]),
  );
}

/** What is not drained at the deadline is left for the next start; the kubelet waits until that, and a little longer. */
const graceCoversTheDrain: Rule = (objects) => {
  const { container, pod } = replicaOf(objects);
  const { shutdown } = configurationOf(objects);
  const sleeps = container.lifecycle?.preStop?.sleep?.seconds ?? 0;
  const needed = sleeps + shutdown.deadline / 1_000 + 10;
  const given = pod.terminationGracePeriodSeconds ?? 30;
  return [
    ...(sleeps > 0 ? [] : ['no preStop takes a pod out of the Services before it ends']),
    ...(given >= needed ? [] : [`a pod has ${String(given)} s to end, and needs ${String(needed)}`]),
  ];
};

/** The program judges itself first, and says why; the kubelet's probes kill only when that did not happen. */
const probesAreMorePatient: Rule = (objects) => {
  const { livenessProbe, readinessProbe, startupProbe } = replicaOf(objects).container;
  const { broker, health } = configurationOf(objects);
  return [
    livenessProbe?.httpGet?.path === '/livez' && startupProbe?.httpGet?.path === '/livez'
      ? ''
      : 'a pod is killed for more than not being alive',
    readinessProbe?.httpGet?.path === '/readyz' ? '' : 'a pod counts as ready that may not be',
    patienceMs(startupProbe) > broker.wait ? '' : 'a pod that waits for its brokers is killed',
    patienceMs(livenessProbe) > (health.eventLoopLimit ?? 0)
      ? ''
      : 'the kubelet is faster than the guard of the event loop',
  ].filter((problem) => problem !== '');
};

/** The door is where the port, the Services and the token are. */
const doorIsWhereItIsAsked: Rule = (objects) => {
  const { container, pod } = replicaOf(objects);
  const { admin } = configurationOf(objects);
  const leading = services(objects).filter(({ metadata }) => metadata.name.startsWith('geoflock'));
  const mount = container.volumeMounts?.find(
    ({ mountPath }) => mountPath === path.dirname(admin.tokenFile ?? ''),
  );
  const volume = pod.volumes?.find(({ name }) => name === mount?.name);
  return [
    admin.address === '0.0.0.0' ? '' : 'nobody outside of the pod reaches the door',
    portOf([container], admin.port) === undefined ? 'the door listens at another port' : '',
    volume?.secret === undefined ? 'the token is in no Secret' : '',
    ...leading
      .map(({ metadata: { name, namespace = '' } }) => [name, `${name}.${namespace}.svc`])
      .flat()
      .filter((name) => !admin.hosts.includes(name))
      .map((name) => `the door does not answer to ${name}`),
  ].filter((problem) => problem !== '');
};

/** State is on brokers: those in the rendering are asked at a port that they serve. */
const brokersAreServed: Rule = (objects) => {
  const { broker } = configurationOf(objects);
  const inside = broker.kafka.brokers.filter((address) => !address.split(':')[0]?.includes('.'));
  const served = services(objects).flatMap(({ metadata, spec: { ports = [] } }) =>
    ports.map(({ port }) => `${metadata.name}:${String(port)}`),
  );
  return [
    ...(broker.kind === 'kafka' ? [] : ['state is in the pod, and is lost with it']),
    ...inside.filter((address) => !served.includes(address)).map((address) => `no Service is at ${address}`),
  ];
};

/** More replicas than partitions would have nothing to do. */
const replicasHaveWork: Rule = (objects) => {
  const { topics } = configurationOf(objects);
  const set = workloads(objects).find(({ metadata }) => metadata.name === 'geoflock');
  const replicas = set?.spec.replicas ?? 1;
  return replicas <= topics.partitions
    ? []
    : [`${String(replicas)} replicas share ${String(topics.partitions)} partitions`];
};

/** Who reads and who writes files have the same folder, where the image looks for it. */
const filesAreShared: Rule = (objects) => {
  const { input, report, state } = configurationOf(objects);
  const claims = workloads(objects)
    .map(({ spec }) => spec.template.spec)
    .flatMap(({ containers, volumes = [] }) =>
      containers
        .filter(({ args = [] }) => ['run', 'generate'].includes(args[0] ?? ''))
        .map(
          ({ volumeMounts = [] }) =>
            volumeMounts.find(({ mountPath }) => mountPath === input.directory)?.name,
        )
        .map((mounted) => volumes.find(({ name }) => name === mounted)?.persistentVolumeClaim?.claimName),
    );
  const writable = (replicaOf(objects).container.volumeMounts ?? []).map(({ mountPath }) => mountPath);
  return [
    ...(claims.every((claim) => claim === 'geoflock-input') ? [] : ['not all have the same folder of files']),
    ...[report.directory, state.directory]
      .filter((folder) => !writable.some((at) => folder.startsWith(`${at}/`)))
      .map((folder) => `nobody can write to ${folder}`),
  ];
};

export const CONFIGURATION_RULES = {
  graceCoversTheDrain,
  probesAreMorePatient,
  doorIsWhereItIsAsked,
  brokersAreServed,
  replicasHaveWork,
  filesAreShared,
} satisfies Record<string, Rule>;
