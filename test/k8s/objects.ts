/** What the tests read of Kubernetes' objects. That they have this shape, and no other, is what the schemas say. */

export type Labels = Readonly<Record<string, string>>;

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Labels;
  };
  /** Of objects without a spec: ConfigMap, Secret, ServiceAccount. */
  readonly data?: Readonly<Record<string, string>>;
  readonly automountServiceAccountToken?: boolean;
}

export interface Reference {
  readonly name: string;
  readonly optional?: boolean;
}

export interface EnvironmentVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly secretKeyRef?: Reference;
    readonly configMapKeyRef?: Reference;
    readonly fieldRef?: { readonly fieldPath: string };
  };
}

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: number | string };
  readonly tcpSocket?: { readonly port: number | string };
  readonly periodSeconds?: number;
  readonly failureThreshold?: number;
  readonly initialDelaySeconds?: number;
}

export interface SecurityContext {
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
  readonly seccompProfile?: { readonly type: string };
}

export interface Port {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: string;
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly args?: readonly string[];
  readonly ports?: readonly Port[];
  readonly env?: readonly EnvironmentVariable[];
  readonly envFrom?: readonly { readonly configMapRef?: Reference; readonly secretRef?: Reference }[];
  readonly startupProbe?: Probe;
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } };
  readonly resources?: { readonly requests?: Labels; readonly limits?: Labels };
  readonly securityContext?: SecurityContext;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

export interface Volume {
  readonly name: string;
  readonly configMap?: Reference;
  readonly secret?: { readonly secretName: string; readonly optional?: boolean };
  readonly persistentVolumeClaim?: { readonly claimName: string };
  readonly emptyDir?: { readonly sizeLimit?: string };
  readonly hostPath?: object;
}

export interface LabelSelector {
  readonly matchLabels?: Labels;
}

export interface PodSpec {
  readonly serviceAccountName?: string;
  readonly automountServiceAccountToken?: boolean;
  readonly enableServiceLinks?: boolean;
  readonly terminationGracePeriodSeconds?: number;
  readonly hostNetwork?: boolean;
  readonly hostPID?: boolean;
  readonly hostIPC?: boolean;
  readonly securityContext?: SecurityContext;
  readonly topologySpreadConstraints?: readonly {
    readonly topologyKey: string;
    readonly labelSelector?: LabelSelector;
  }[];
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes?: readonly Volume[];
}

export interface Workload extends Manifest {
  readonly kind: 'StatefulSet' | 'Deployment';
  readonly spec: {
    readonly replicas?: number;
    /** Of a StatefulSet. */
    readonly serviceName?: string;
    readonly selector: LabelSelector;
    readonly template: { readonly metadata: { readonly labels?: Labels }; readonly spec: PodSpec };
    readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[];
  };
}

export interface ServicePort {
  readonly port: number;
  readonly targetPort?: number | string;
  readonly protocol?: string;
}

export interface Service extends Manifest {
  readonly spec: {
    readonly clusterIP?: string;
    readonly selector?: Labels;
    readonly ports?: readonly ServicePort[];
  };
}

export interface Budget extends Manifest {
  readonly spec: { readonly maxUnavailable?: number | string; readonly selector: LabelSelector };
}

export interface Peer {
  readonly podSelector?: LabelSelector;
  readonly namespaceSelector?: LabelSelector;
}

export interface PolicyPort {
  readonly port?: number | string;
  readonly protocol?: string;
}

export interface NetworkPolicy extends Manifest {
  readonly spec: {
    readonly podSelector: LabelSelector;
    readonly policyTypes?: readonly string[];
    readonly ingress?: readonly { readonly from?: readonly Peer[]; readonly ports?: readonly PolicyPort[] }[];
    readonly egress?: readonly { readonly to?: readonly Peer[]; readonly ports?: readonly PolicyPort[] }[];
  };
}

export function workloads(objects: readonly Manifest[]): readonly Workload[] {
  return objects.filter((one): one is Workload => one.kind === 'StatefulSet' || one.kind === 'Deployment');
}

export function services(objects: readonly Manifest[]): readonly Service[] {
  return objects.filter((one): one is Service => one.kind === 'Service');
}

export function budgets(objects: readonly Manifest[]): readonly Budget[] {
  return objects.filter((one): one is Budget => one.kind === 'PodDisruptionBudget');
}

export function networkPolicies(objects: readonly Manifest[]): readonly NetworkPolicy[] {
  return objects.filter((one): one is NetworkPolicy => one.kind === 'NetworkPolicy');
}

/** All containers, with the workload that each belongs to and its name for people. */
export function containersOf(
  objects: readonly Manifest[],
): readonly { readonly container: Container; readonly pod: PodSpec; readonly at: string }[] {
  return workloads(objects).flatMap((workload) => {
    const pod = workload.spec.template.spec;
    return [...(pod.initContainers ?? []), ...pod.containers].map((container) => ({
      container,
      pod,
      at: `${nameOf(workload)}/${container.name}`,
    }));
  });
}

export function nameOf({ kind, metadata }: Manifest): string {
  return `${kind}/${metadata.name}`;
}

/** Whether a selector takes who wears these labels. An empty one takes everybody. */
export function selects(selector: Labels | undefined, labels: Labels | undefined): boolean {
  return Object.entries(selector ?? {}).every(([key, value]) => labels?.[key] === value);
}

/** Workloads whose pods a selector takes. */
export function selected(objects: readonly Manifest[], selector: Labels | undefined): readonly Workload[] {
  return workloads(objects).filter(({ spec }) => selects(selector, spec.template.metadata.labels));
}

/** The port of a container that a number or name means. */
export function portOf(
  containers: readonly Container[],
  port: number | string | undefined,
  protocol = 'TCP',
): Port | undefined {
  return containers
    .flatMap(({ ports = [] }) => ports)
    .find((one) => (one.name === port || one.containerPort === port) && (one.protocol ?? 'TCP') === protocol);
}
