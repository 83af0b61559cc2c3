import { readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'chai';
import type { StartedTestContainer } from 'testcontainers';
import { METRIC_NAMES, specOf } from '../../src/metrics/catalogue.ts';
import { StatsdMetrics } from '../../src/metrics/hot-shots.ts';
import { prometheusName } from '../../src/metrics/names.ts';
import { PrometheusMetrics } from '../../src/metrics/prom-client.ts';
import { inEach } from '../../src/metrics/recorder.ts';
import { systemClock } from '../../src/system/clock.ts';
import { cannotRun } from '../support/cannot-run.ts';
import { within } from '../support/within.ts';
import { type Family, keyOf, parsePrometheus } from './prometheus-text.ts';

const IMAGE = 'prom/statsd-exporter:v0.28.0';
const MAPPING = readFileSync(
  new URL('../../k8s/monitoring/statsd-exporter-mapping.yaml', import.meta.url),
  'utf8',
);
const STARTS_WITHIN_MS = 240_000;
const ARRIVES_WITHIN_MS = 20_000;

describe('statsd_exporter with the mapping', function () {
  for (const flavor of ['dogstatsd', 'plain'] as const) {
    describe(flavor, () => {
      let exporter: StartedTestContainer | undefined;

      before('start it in Docker', async function () {
        this.timeout(STARTS_WITHIN_MS + 10_000);
        try {
          exporter = await start();
        } catch (error) {
          cannotRun(this, `no ${IMAGE} in Docker`, error);
        }
      });

      after(() => exporter?.stop());

      it('shows every metric as Geoflock’s own text does', async () => {
        const container = exporter as StartedTestContainer;
        const errors: Error[] = [];
        const own = new PrometheusMetrics();
        const statsd = new StatsdMetrics(
          {
            host: '127.0.0.1',
            port: container.getMappedPort('9125/udp'),
            socket: null,
            flavor,
            prefix: 'geoflock',
            sampleRate: 1,
            tags: [],
            maxBufferBytes: 1432,
          },
          { clock: systemClock, onError: (error) => errors.push(error) },
        );
        recordAll(inEach([own, statsd]));
        await statsd.close();
        expect(errors).to.deep.equal([]);
        const wanted = parsePrometheus(await own.text());
        const url = `http://127.0.0.1:${String(container.getMappedPort(9102))}/metrics`;
        let text = '';
        let found: ReadonlyMap<string, Family> = new Map();
        // The exporter takes them in batches: a name may be there before its last value.
        const missing = (): readonly string[] =>
          [...wanted]
            .filter(([name, family]) => !isDeepStrictEqual(valuesOf(found.get(name)), valuesOf(family)))
            .map(([name]) => name);
        const arrive = async (): Promise<void> => {
          for (;;) {
            text = await (await fetch(url)).text();
            found = ours(text);
            if (missing().length === 0) {
              return;
            }
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
        };
        await within(ARRIVES_WITHIN_MS, () => `metrics at the exporter: ${missing().join()}`, arrive());
        const types = /(?<=^# TYPE )geoflock_\w+/gm;
        expect([...(text.match(types) ?? [])].sort(), 'all names').to.deep.equal([...wanted.keys()].sort());
        for (const [name, family] of wanted) {
          expect(found.get(name)?.type, name).to.equal(family.type);
          expect(valuesOf(found.get(name)), name).to.deep.equal(valuesOf(family));
        }
      });
    });
  }
});

async function start(): Promise<StartedTestContainer> {
  // Only here, because it takes half a second that most test files need not spend.
  const { GenericContainer, Wait } = await import('testcontainers');
  return await new GenericContainer(IMAGE)
    .withCopyContentToContainer([{ content: MAPPING, target: '/mapping.yaml', mode: 0o644 }])
    .withCommand(['--statsd.mapping-config=/mapping.yaml'])
    .withExposedPorts(9102, '9125/udp')
    .withWaitStrategy(Wait.forHttp('/metrics', 9102))
    .withStartupTimeout(STARTS_WITHIN_MS)
    .start();
}

/** The port, for names that are known only while it runs. */
interface AnyMetrics {
  count(name: string, n: number, tags: object): void;
  gauge(name: string, values: readonly { readonly value: number; readonly tags: object }[]): void;
  time(name: string, ms: number, tags: object): void;
}

/** Some values of each metric, with two values of each tag. */
function recordAll(metrics: AnyMetrics): void {
  METRIC_NAMES.forEach((name, index) => {
    const { kind, tags } = specOf(name);
    const sets = (tags.length === 0 ? [1] : [1, 2]).map((set) => ({
      value: index + set / 2,
      tags: Object.fromEntries(tags.map((tag) => [tag, `${tag}-${String(set)}`])),
    }));
    if (kind === 'gauge') {
      metrics.gauge(name, sets);
      return;
    }
    for (const set of sets) {
      if (kind === 'counter') {
        metrics.count(name, set.value, set.tags);
      } else {
        metrics.time(name, set.value, set.tags);
        metrics.time(name, 1_000 * set.value, set.tags);
      }
    }
  });
}

/** Families of Geoflock; the exporter has some of its own. */
function ours(text: string): ReadonlyMap<string, Family> {
  const names = new Set(METRIC_NAMES.map(prometheusName));
  const lines = text.split('\n').filter((line) => {
    const name = /^(?:# \w+ )?([a-z_]+)/.exec(line)?.[1] ?? '';
    return names.has(name) || names.has(name.replace(/_(?:bucket|sum|count)$/, ''));
  });
  return parsePrometheus(`${lines.join('\n')}\n`);
}

function valuesOf(family: Family | undefined): Record<string, number> {
  return Object.fromEntries(
    (family?.series ?? []).map((series) => [keyOf(series), Number(series.value.toPrecision(12))]),
  );
}
