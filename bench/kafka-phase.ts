/**
 * One phase of `kafka.ts`, in a process of its own: what it takes from the start of the pipeline until all
 * rows are committed. Left out are what a run needs once, whatever its rows: the loading of the program,
 * and the search for the clusters in the end. Its argument is one JSON object; it prints one.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Broker, Membership } from '../src/broker/broker.ts';
// Loaded before the measurement begins; the pipeline would load it when it opens the broker.
import '../src/broker/kafka/broker.ts';
import { loadConfiguration } from '../src/config/load.ts';
import { type Pipeline, startPipeline } from '../src/pipeline.ts';
import { silentLogger } from '../src/system/logger.ts';

export interface PhaseOptions {
  readonly phase: 'publish' | 'consume' | 'end to end';
  readonly settings: Readonly<Record<string, string>>;
  readonly rows: number;
}

export interface PhaseResult {
  readonly cpuSeconds: number;
  readonly seconds: number;
  readonly rssAnonMb: number;
}

const { phase, rows, settings } = JSON.parse(process.argv[2] ?? '{}') as PhaseOptions;
const { configuration } = loadConfiguration({
  environment: {},
  flags: Object.entries(settings).map(([key, value]) => ({ flag: 'bench', key, value })),
});

const began = performance.now();
const cpu = process.cpuUsage();
const pipeline = await startPipeline(configuration, {
  log: silentLogger,
  live: false,
  ...(phase === 'publish' ? { intercept: withoutConsumers } : {}),
});
const failed = pipeline.terminated.then((exit) => {
  throw exit.kind === 'failed' ? exit.error : new Error('stopped before it was done');
});
await Promise.race([committed(pipeline), failed]);
const { system, user } = process.cpuUsage(cpu);
const seconds = (performance.now() - began) / 1000;
const rssAnon = /RssAnon:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
const result: PhaseResult = {
  cpuSeconds: (user + system) / 1e6,
  seconds,
  rssAnonMb: Math.round(Number(rssAnon) / 1024),
};
process.stdout.write(`${JSON.stringify(result)}\n`, () => {
  process.exit(0);
});

async function committed({ topology }: Pipeline): Promise<void> {
  const { partitions, publisher } = topology.stats;
  const done = (): number =>
    phase === 'publish'
      ? publisher.rowsRead
      : partitions.reduce((sum, { rowsCounted }) => sum + rowsCounted, 0);
  while (done() < rows) {
    await delay(10);
  }
}

/** The members of the group that clusters the rows are told of no partitions: nothing is consumed. */
function withoutConsumers(broker: Broker): Broker {
  const join: Broker['join'] = async (group, topic, listener) => {
    if (topic !== `${settings['topics.prefix'] ?? ''}mobile_data`) {
      return await broker.join(group, topic, listener);
    }
    const idle: Membership = { group, owned: [], leave: () => Promise.resolve() };
    return idle;
  };
  return new Proxy(broker, {
    get: (target, name): unknown => {
      if (name === 'join') {
        return join;
      }
      const member: unknown = Reflect.get(target, name);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}
