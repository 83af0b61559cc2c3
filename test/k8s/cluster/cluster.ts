import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cannotRun } from '../../support/cannot-run.ts';

const run = promisify(execFile);
const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
/** Where these are there, they make a cluster of two nodes on this machine. */
const KIT = fileURLToPath(new URL('../../../../shared/kits', import.meta.url));
const MOST_OUTPUT = 64 * 1024 * 1024;
const BUILT_WITHIN_MS = 3_600_000;

/** Images that the test's objects name and that are not built here. */
const PUBLIC_IMAGES = ['apache/kafka:4.1.2', 'prom/statsd-exporter:v0.28.0', 'busybox:1.36'] as const;

/** A command that goes on until it is stopped. */
export interface Following {
  stop(): Promise<void>;
}

/** A real Kubernetes on which the test may do what it likes. */
export interface Cluster {
  readonly nodes: readonly string[];
  kubectl(args: readonly string[], options?: { readonly timeoutMs?: number }): Promise<string>;
  /** A kubectl that goes on until it is stopped; what it writes comes line by line. */
  follow(args: readonly string[], line: (text: string) => void): Following;
  /** As a power cut; undefined where nobody has told how. */
  readonly cutPower: ((node: string) => Promise<void>) | undefined;
  readonly powerUp: (node: string) => Promise<void>;
}

/**
 * The cluster of `GEOFLOCK_K8S_CONTEXT`, a context of kubectl that must be named, since the test rules over what it
 * finds there; images reach it by `GEOFLOCK_K8S_LOAD` (such as `kind load docker-image`), once for each image, or a
 * registry. Without it one is made on this machine, where the means are there.
 */
export async function openCluster(test: Mocha.Context): Promise<Cluster> {
  const context = process.env['GEOFLOCK_K8S_CONTEXT'];
  if (context !== undefined && context !== '') {
    return await named(context);
  }
  if (!fs.existsSync(`${KIT}/k8s/k8s-up.sh`)) {
    cannotRun(test, 'name a cluster that may be ruled over: GEOFLOCK_K8S_CONTEXT=... (a context of kubectl)');
  }
  return await made();
}

async function named(context: string): Promise<Cluster> {
  const load = process.env['GEOFLOCK_K8S_LOAD'];
  await buildImage();
  for (const image of load === undefined ? [] : [IMAGE, ...PUBLIC_IMAGES]) {
    await run('sh', ['-c', `${load ?? ''} "$0"`, image], { maxBuffer: MOST_OUTPUT });
  }
  return await clusterOf('kubectl', ['--context', context], undefined, () => Promise.resolve());
}

async function made(): Promise<Cluster> {
  const say = (what: string): void => {
    process.stdout.write(`    ${what} ...\n`);
  };
  const script = (name: string, args: readonly string[] = [], env = {}): Promise<string> =>
    run(`${KIT}/${name}`, args, {
      env: { ...process.env, ...env },
      maxBuffer: MOST_OUTPUT,
      timeout: BUILT_WITHIN_MS,
    }).then(({ stdout }) => stdout.trim());
  // Short times, so that the test need not wait for what a cluster waits for by default.
  const settings = {
    K8S_NODES: '2',
    K8S_CRASHLOOP_MAX: '5s',
    K8S_CONTROLLER_ARGS: '--node-monitor-grace-period=20s',
  };
  say('images');
  await script('docker-up.sh');
  await script('images.sh', ['node:22-bookworm-slim', ...PUBLIC_IMAGES]);
  await buildImage();
  say('the cluster (where it has to be built first, that takes many minutes)');
  await run('apt-get', ['update', '-qq']).catch(() => undefined);
  await script('k8s/k8s-build.sh');
  const up = (): Promise<string> => script('k8s/k8s-up.sh', [], settings);
  const kubeconfig = await up();
  await script('k8s/k8s-load-image.sh', [IMAGE, ...PUBLIC_IMAGES]);
  const { stdout } = await run('bash', ['-c', `. ${KIT}/k8s/k8s-common.sh; echo "$KUBECTL $K8S_STATE"`]);
  const [kubectl = '', state = ''] = stdout.trim().split(' ');
  return await clusterOf(
    kubectl,
    ['--kubeconfig', kubeconfig],
    (node) => {
      // Its first process, which all others end with.
      const [pid] = fs.readFileSync(`${state}/${node}/init.pid`, 'utf8').split(' ');
      process.kill(Number(pid), 'SIGKILL');
      return Promise.resolve();
    },
    async () => {
      await up();
    },
  );
}

const IMAGE = 'geoflock:0.1.0';

async function buildImage(): Promise<void> {
  await run('docker', ['build', '-q', '-t', IMAGE, PROJECT], { maxBuffer: MOST_OUTPUT });
}

async function clusterOf(
  command: string,
  which: readonly string[],
  cutPower: Cluster['cutPower'],
  powerUp: Cluster['powerUp'],
): Promise<Cluster> {
  const kubectl: Cluster['kubectl'] = async (args, { timeoutMs = 180_000 } = {}) => {
    const { stdout } = await run(command, [...which, ...args], {
      maxBuffer: MOST_OUTPUT,
      timeout: timeoutMs,
    });
    return stdout;
  };
  const names = await kubectl(['get', 'nodes', '-o', 'jsonpath={.items[*].metadata.name}']);
  return {
    nodes: names.trim().split(' ').sort(),
    kubectl,
    follow: (args, line) => follow(command, [...which, ...args], line),
    cutPower,
    powerUp,
  };
}

/** Its stdin is open until it is stopped. */
function follow(command: string, args: readonly string[], line: (text: string) => void): Following {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const lines = `${rest}${text}`.split('\n');
    rest = lines.pop() ?? '';
    lines.forEach(line);
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      resolve();
    });
  });
  return {
    stop: async () => {
      child.stdin.end();
      const patience = setTimeout(() => child.kill('SIGTERM'), 10_000);
      await ended;
      clearTimeout(patience);
    },
  };
}
