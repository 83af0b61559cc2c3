import { setTimeout as sleep } from 'node:timers/promises';
import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { status } from '../../../src/admin/results.ts';
import type { Cluster } from './cluster.ts';

const OVERLAY = fileURLToPath(new URL('overlay', import.meta.url));
const FAULTS = fileURLToPath(new URL('faults.yaml', import.meta.url));
const INSIDE = fs.readFileSync(new URL('inside.js', import.meta.url), 'utf8');

const NAMESPACE = 'geoflock';
const FAULTS_NAMESPACE = 'geoflock-faults';
const REPLICAS = 'app.kubernetes.io/name=geoflock,app.kubernetes.io/component=pipeline';
/** On the node with this label is what must outlive the faults. */
const STEADY = 'geoflock-test/steady=true';

const LOOK_EVERY_MS = 1_000;
/** Above all that a busy machine needs, and what a dead node's pods wait for. */
const WITHIN_MS = 240_000;

const pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), deletionTimestamp: z.string().optional() }),
      spec: z.object({ nodeName: z.string().optional() }),
      status: z.object({
        podIP: z.string().optional(),
        conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
        containerStatuses: z
          .array(z.object({ containerID: z.string().optional(), restartCount: z.number() }))
          .default([]),
      }),
    }),
  ),
});
const answer = z.object({ status: z.number(), body: z.unknown() });
const counted = z.object({ files: z.number(), lines: z.number() });

export interface Pod {
  readonly name: string;
  readonly node: string | undefined;
  readonly address: string | undefined;
  readonly ready: boolean;
  readonly leaving: boolean;
  readonly container: string | undefined;
  readonly restarts: number;
}

export interface Rows {
  readonly read: number;
  readonly counted: number;
  readonly rejected: number;
}

/** What runs in the cluster: it is brought there, looked at, and disturbed. */
export class Deployed {
  readonly #cluster: Cluster;
  /** The node that no fault is for, and the other one, where there are two. */
  readonly steady: string;
  readonly other: string | undefined;

  constructor(cluster: Cluster) {
    const [steady, other] = cluster.nodes;
    if (steady === undefined) {
      throw new Error('the cluster has no node');
    }
    this.#cluster = cluster;
    this.steady = steady;
    this.other = other;
  }

  async kubectl(...args: readonly string[]): Promise<string> {
    return await this.#cluster.kubectl(['-n', NAMESPACE, ...args]);
  }

  /** Removes what an earlier test has left, then applies the overlay. */
  async apply(): Promise<void> {
    await this.remove();
    await this.#cluster.kubectl(['label', 'node', this.steady, STEADY, '--overwrite']);
    await this.#cluster.kubectl(['apply', '-f', FAULTS]);
    const faults = ['-n', FAULTS_NAMESPACE];
    await this.#cluster.kubectl([...faults, 'rollout', 'status', 'daemonset/faults', '--timeout=120s']);
    await this.#onNode(this.steady, 'rm -rf /input/*');
    await this.#cluster.kubectl(['apply', '-k', OVERLAY]);
  }

  async remove(): Promise<void> {
    await this.#cluster.kubectl(
      ['delete', 'namespace', NAMESPACE, FAULTS_NAMESPACE, '--ignore-not-found', '--timeout=150s'],
      { timeoutMs: 160_000 },
    );
    await this.#cluster.kubectl(['delete', 'pv', 'geoflock-test-input', '--ignore-not-found']);
  }

  async replicas(): Promise<readonly Pod[]> {
    const { items } = pods.parse(JSON.parse(await this.kubectl('get', 'pods', '-l', REPLICAS, '-o', 'json')));
    return items.map(({ metadata, spec, status: { conditions, containerStatuses, podIP } }) => ({
      name: metadata.name,
      node: spec.nodeName,
      address: podIP,
      ready: conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True'),
      leaving: metadata.deletionTimestamp !== undefined,
      container: containerStatuses[0]?.containerID?.replace(/^.*:\/\//, ''),
      restarts: containerStatuses[0]?.restartCount ?? 0,
    }));
  }

  async pod(name: string): Promise<Pod> {
    const found = (await this.replicas()).find((pod) => pod.name === name);
    if (found === undefined) {
      throw new Error(`there is no pod ${name}`);
    }
    return found;
  }

  async allReady(count: number): Promise<void> {
    await this.until(`${String(count)} replicas are ready, and no others are there`, async () => {
      const all = await this.replicas();
      return all.length === count && all.every(({ leaving, ready }) => ready && !leaving);
    });
  }

  /** Runs what `inside.js` knows in the pod `tools`. */
  async inside(what: string, ...args: readonly string[]): Promise<unknown> {
    return JSON.parse(
      await this.kubectl('exec', 'tools', '--', 'node', '--input-type=module', '-e', INSIDE, what, ...args),
    );
  }

  /** Asks the Service until it is stopped. Resolves then to how often it answered what. */
  watchService(): { stop(): Promise<Readonly<Record<string, number>>> } {
    let seen: Record<string, number> | undefined;
    const following = this.#cluster.follow(
      ['-n', NAMESPACE, 'exec', '-i', 'tools', '--', 'node', '--input-type=module', '-e', INSIDE, 'watch'],
      (line) => {
        seen = JSON.parse(line) as Record<string, number>;
      },
    );
    return {
      stop: async () => {
        await following.stop();
        if (seen === undefined) {
          throw new Error('the one who asks the Service has told nothing');
        }
        return seen;
      },
    };
  }

  /** Notes with which exit code each container of a replica ended, by pod, as long as it is watched. */
  watchExits(): { readonly codes: ReadonlyMap<string, number>; stop(): Promise<void> } {
    const codes = new Map<string, number>();
    const field = '.status.containerStatuses[0].state.terminated.exitCode';
    const following = this.#cluster.follow(
      [
        ...['-n', NAMESPACE, 'get', 'pods', '-l', REPLICAS, '--watch'],
        ...['-o', `jsonpath={.metadata.name} {.metadata.uid} {${field}}{"\\n"}`],
      ],
      (line) => {
        const [name, uid, code] = line.split(' ');
        if (code !== undefined && code !== '') {
          codes.set(`${String(name)} ${String(uid)}`, Number(code));
        }
      },
    );
    return { codes, stop: () => following.stop() };
  }

  async api(method: 'GET' | 'POST', path: string): Promise<unknown> {
    const { body, status: code } = answer.parse(await this.inside('api', method, path));
    if (code !== 200) {
      throw new Error(`${method} ${path}: ${String(code)} ${JSON.stringify(body)}`);
    }
    return body;
  }

  async rows(): Promise<Rows> {
    return status.parse(await this.api('GET', '/api/v1/status')).totals.rows;
  }

  async generate(on: boolean): Promise<void> {
    await this.kubectl('scale', 'deployment/generator', `--replicas=${on ? '1' : '0'}`);
    if (!on) {
      const selector = 'app.kubernetes.io/component=generator';
      await this.until('the generator has ended', async () => {
        return (await this.kubectl('get', 'pods', '-l', selector, '-o', 'name')) === '';
      });
    }
  }

  /** Stops the generator, counts the lines of its files, and waits until as many are counted. */
  async exact(): Promise<{ readonly lines: number; readonly rows: Rows }> {
    await this.generate(false);
    const { lines } = counted.parse(await this.inside('lines'));
    let rows: Rows | undefined;
    await this.until(
      () => `all ${String(lines)} rows are counted, of which are ${JSON.stringify(rows)}`,
      async () => {
        rows = await this.rows();
        return rows.read >= lines && rows.counted + rows.rejected === rows.read;
      },
    );
    if (rows === undefined) {
      throw new Error('no rows were asked for');
    }
    return { lines, rows };
  }

  /** More rows are counted than now: who is left works. */
  async goesOn(): Promise<void> {
    const before = (await this.rows()).counted;
    await this.until(`more than ${String(before)} rows are counted`, async () => {
      return (await this.rows()).counted > before;
    });
  }

  /** Sends a signal to all processes of a pod's container, from outside of it. */
  async signal(name: string, signal: 'KILL' | 'STOP'): Promise<void> {
    const { container, node } = await this.pod(name);
    if (container === undefined || node === undefined) {
      throw new Error(`${name} runs nowhere`);
    }
    const found = `grep -l ${container} /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3`;
    await this.#onNode(node, `pids=$(${found}); [ -n "$pids" ] && kill -${signal} $pids`);
  }

  async #onNode(node: string, script: string): Promise<void> {
    const faults = ['-n', FAULTS_NAMESPACE];
    const name = await this.#cluster.kubectl([
      ...[...faults, 'get', 'pods', '--field-selector', `spec.nodeName=${node}`],
      ...['-o', 'jsonpath={.items[0].metadata.name}'],
    ]);
    await this.#cluster.kubectl([...faults, 'exec', name, '--', 'sh', '-c', script]);
  }

  /** What somebody would look at first when something has gone wrong. */
  async describe(): Promise<string> {
    const parts = [
      ['get', 'pods', '-o', 'wide'],
      ['get', 'events', '--sort-by=.lastTimestamp'],
      ['logs', '-l', REPLICAS, '--prefix', '--tail=15'],
    ].map((args) => this.kubectl(...args).catch(String));
    return (await Promise.all(parts)).join('\n');
  }

  /** Looks until it is so. A question that fails, as while things are disturbed, is asked again. */
  async until(what: string | (() => string), condition: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + WITHIN_MS;
    let problem: unknown;
    while (performance.now() < deadline) {
      try {
        if (await condition()) {
          return;
        }
        problem = undefined;
      } catch (error) {
        problem = error;
      }
      await sleep(LOOK_EVERY_MS);
    }
    const name = typeof what === 'string' ? what : what();
    throw new Error(`${name}: not so after ${String(WITHIN_MS / 1000)} s`, { cause: problem });
  }
}
