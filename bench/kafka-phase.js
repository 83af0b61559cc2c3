/**
 * One phase of `kafka.ts`, in a process of its own: what it takes from the start of the pipeline until all
 * rows are committed. Left out are what a run needs once, whatever its rows: the loading of the program,
 * and the search for the clusters in the end. Its argument is one JSON object (`PhaseOptions`); it prints
 * one (`PhaseResult`).
 *
 * It is plain JavaScript over `dist/`, because that is what users run: a loader that compiles TypeScript on
 * the way costs CPU time of its own and makes slower code.
 */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

const built = (file) => import(new URL(`../dist/${file}`, import.meta.url).href);
const { collectLessOften } = await built('heap.js');
const { loadConfiguration } = await built('config/load.js');
const { startPipeline } = await built('pipeline.js');
const { silentLogger } = await built('system/logger.js');
// Loaded before the measurement begins; the pipeline would load it when it opens the broker.
await built('broker/kafka/broker.js');

collectLessOften();

const { phase, rows, settings } = JSON.parse(process.argv[2] ?? '{}');
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
const result = {
  cpuSeconds: (user + system) / 1e6,
  seconds,
  rssAnonMb: Math.round(Number(rssAnon) / 1024),
};
process.stdout.write(`${JSON.stringify(result)}\n`, () => {
  process.exit(0);
});

async function committed({ topology }) {
  const { partitions, publisher } = topology.stats;
  const done = () =>
    phase === 'publish'
      ? publisher.rowsRead
      : partitions.reduce((sum, { rowsCounted }) => sum + rowsCounted, 0);
  while (done() < rows) {
    await delay(10);
  }
}

/** The members of the group that clusters the rows are told of no partitions: nothing is consumed. */
function withoutConsumers(broker) {
  const join = async (group, topic, listener) => {
    if (topic !== `${settings['topics.prefix'] ?? ''}mobile_data`) {
      return await broker.join(group, topic, listener);
    }
    return { group, owned: [], leave: () => Promise.resolve() };
  };
  return new Proxy(broker, {
    get: (target, name) => {
      if (name === 'join') {
        return join;
      }
      const member = Reflect.get(target, name);
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}
