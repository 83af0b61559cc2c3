import { expect } from 'chai';
import { stat } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { FoldError } from '../../src/clustering/features.ts';
import { type MetricName, METRIC_NAMES, specOf } from '../../src/metrics/catalogue.ts';
import { plainName, prometheusName } from '../../src/metrics/names.ts';
import type { Pipeline, PipelineOptions } from '../../src/pipeline.ts';
import { UnknownOutcomeError } from '../../src/broker/errors.ts';
import { type Fold, fold } from '../../src/actors/region/region-actor.ts';
import { within } from '../support/within.ts';
import {
  asFile,
  drain,
  interceptCommits,
  onStage,
  RecordedLog,
  rowLines,
  type Settings,
  type Stage,
  summaries,
  timeOfRow,
  until,
} from '../actors/pipeline/support.ts';
import { type Family, parsePrometheus } from './prometheus-text.ts';
import { type Daemon, Daemons, freeUdpPort } from './statsd-daemon.ts';

const ROWS_OF_A_FILE = 900;
const FILES = 4;
const PARTITIONS = 3;

/** Bad lines of each file and why; whoever reads them is not asked. */
const BAD: readonly (readonly [reason: string, line: string])[] = [
  ['column-count', 'a,line,too,short'],
  ['longitude-out-of-range', '2026-01-01T00:00:00.000Z,d,0,0,9.8,181,48,0'],
  ['longitude-out-of-range', '2026-01-01T00:00:00.000Z,d,0,0,9.8,-200,48,0'],
  ['time-invalid', 'yesterday,d,0,0,9.8,2,48,0'],
];
/** Read, published, and set aside by the partition: far older than all rows before. */
const LATE = '2001-01-01T00:00:00.000Z,d,0,0,9.8,2.35,48.86,0';

/** Small steps, so that there are many commits and samples. */
const SETTINGS: Settings = {
  'topics.partitions': String(PARTITIONS),
  'regions.lateness': '30d',
  'source.maxLineBytes': '256',
  'publisher.transactionBytes': '8KiB',
  'checkpoint.rows': '200',
  // So that a checkpoint has not many more, also when the partition comes late.
  'publisher.linesPerMessage': '1',
  'connections.rows.rows': '100',
  'model.every': '50ms',
};

/** What the files hold, counted from what was written. */
interface Truth {
  read: number;
  bytes: number;
  counted: number;
  late: number;
  readonly rejected: Record<string, number>;
}

async function writeFiles(stage: Stage): Promise<Truth> {
  const truth: Truth = { read: 0, bytes: 0, counted: 0, late: 0, rejected: {} };
  for (let file = 0; file < FILES; file++) {
    const good = rowLines(ROWS_OF_A_FILE, file + 1);
    const bad = BAD.map(([, line]) => line);
    const lines = [...good.slice(0, 500), ...bad, ...good.slice(500), LATE];
    const name = `${String(file)}.csv`;
    await stage.write(name, asFile(lines));
    truth.bytes += (await stat(join(stage.folder, 'input', name))).size;
    truth.read += lines.length;
    truth.counted += good.length;
    truth.late += 1;
    for (const [reason] of BAD) {
      truth.rejected[reason] = (truth.rejected[reason] ?? 0) + 1;
    }
  }
  return truth;
}

function statsd(settings: Settings): Settings {
  return {
    ...SETTINGS,
    'statsd.enabled': 'true',
    'statsd.every': '100ms',
    'statsd.maxBufferBytes': '512',
    ...settings,
  };
}

/** A region that fails on one row, once: its partition restarts in the middle of the run. */
function failingOnce(): Fold {
  let failures = 0;
  return (summary, rows, from, to) => {
    const at = rows.time.indexOf(timeOfRow(600));
    if (failures === 0 && at >= from && at < to) {
      failures++;
      throw new FoldError(at, new Error('this once'));
    }
    fold(summary, rows, from, to);
  };
}

/** Of each stage one commit takes effect and its answer is lost, and one does not take effect. */
function losingAnswers(): NonNullable<PipelineOptions['intercept']> {
  const passes = new Map<string, number>();
  return (broker) =>
    interceptCommits(broker, async ({ commit, leaveOut, topics, writer }) => {
      const stage = writer.split('-')[0] ?? '';
      const pass = (passes.get(stage) ?? 0) + 1;
      passes.set(stage, pass);
      const ofRows = topics.has('mobile_data') || topics.has('geoflock.regions');
      if (ofRows && pass === 6) {
        await commit();
        throw new UnknownOutcomeError('the answer was lost');
      }
      if (ofRows && pass === 9) {
        await leaveOut();
        throw new UnknownOutcomeError('the question was lost');
      }
      return await commit();
    });
}

/** Values by metric and tags, as the daemon names them in the flavor. */
type Received = (name: MetricName, tags?: Readonly<Record<string, string>>) => number;

function keyIn(
  flavor: 'dogstatsd' | 'plain',
  name: MetricName,
  tags: Readonly<Record<string, string>>,
): string {
  if (flavor === 'plain') {
    return `geoflock.${plainName(name, tags)}`;
  }
  // As the daemon writes tags.
  return [`geoflock.${name}`, ...specOf(name).tags.map((tag) => `${tag}=${tags[tag] ?? ''}`)].join(';');
}

function sumOf(
  received: Received,
  name: MetricName,
  tags: (partition: string) => Record<string, string>,
): number {
  let sum = 0;
  for (let partition = 0; partition < PARTITIONS; partition++) {
    sum += received(name, tags(String(partition)));
  }
  return sum;
}

function expectTruth(received: Received, truth: Truth): void {
  const rejected = Object.values(truth.rejected).reduce((sum, rows) => sum + rows, 0);
  expect(received('publisher.rows.read'), 'rows read').to.equal(truth.read);
  expect(received('publisher.rows.published'), 'rows published').to.equal(truth.read - rejected);
  expect(received('publisher.bytes'), 'bytes').to.equal(truth.bytes);
  for (const [reason, rows] of Object.entries(truth.rejected)) {
    expect(received('publisher.rows.rejected', { reason }), reason).to.equal(rows);
  }
  for (const state of ['reading', 'done']) {
    expect(received('publisher.files', { state }), state).to.equal(FILES);
  }
  expect(
    sumOf(received, 'partition.rows.counted', (partition) => ({ partition })),
    'rows counted',
  ).to.equal(truth.counted);
  expect(
    sumOf(received, 'partition.rows.rejected', (partition) => ({ partition, reason: 'late' })),
    'late rows',
  ).to.equal(truth.late);
}

function inPrometheus(families: ReadonlyMap<string, Family>): Received {
  return (name, tags = {}) => {
    const found = families
      .get(prometheusName(name))
      ?.series.find(({ labels }) => JSON.stringify(labels) === JSON.stringify(tags));
    return found?.value ?? 0;
  };
}

function restartsOf(pipeline: Pipeline, path: RegExp): number {
  return pipeline
    .actors()
    .filter((actor) => path.test(actor.path))
    .reduce((sum, { restarts }) => sum + restarts, 0);
}

describe('metrics of a run', () => {
  const daemons = new Daemons();

  afterEach(() => daemons.end());

  for (const flavor of ['dogstatsd', 'plain'] as const) {
    it(`as the real daemon received them (${flavor}) are the true counts, and those of Prometheus`, () =>
      onStage(async (stage) => {
        const daemon = await daemons.start();
        const pipeline = await stage.start(
          statsd({ 'statsd.flavor': flavor, 'statsd.port': String(daemon.port) }),
          { live: true, fold: failingOnce(), intercept: losingAnswers() },
        );
        const truth = await writeFiles(stage);
        expect(await drain(pipeline)).to.equal(truth.counted);
        const restarts = {
          partition: restartsOf(pipeline, /^partitions\/partition-\d+$/),
          publisher: restartsOf(pipeline, /^ingest\/publisher$/),
        };
        expect(restarts.partition, 'restarts of partitions').to.be.at.least(3);
        expect(restarts.publisher, 'restarts of the publisher').to.equal(2);
        await stage.stop(pipeline);

        const families = parsePrometheus(await pipeline.metrics.prometheus());
        const inText = inPrometheus(families);
        expectTruth(inText, truth);
        const counters = await settled(daemon, keyIn(flavor, 'process.cpu', { mode: 'user' }), () =>
          inText('process.cpu', { mode: 'user' }),
        );
        const received: Received = (name, tags = {}) => counters[keyIn(flavor, name, tags)] ?? 0;
        expectTruth(received, truth);
        for (const [actor, times] of Object.entries(restarts)) {
          expect(received('actor.restarts', { actor }), actor).to.equal(times);
        }
        expect(received('actor.escalations', { actor: 'region' })).to.equal(1);
        for (const stage of ['publisher', 'partition']) {
          expect(received('transaction.aborts', { stage, reason: 'unknown-outcome' }), stage).to.equal(2);
        }
        expectSame(families, flavor, counters, await daemon.gauges(), await daemon.timers());
        expect(counters['statsd.bad_lines_seen']).to.equal(0);
      }));
  }

  it('reach the daemon by its unix socket', () =>
    onStage(async (stage) => {
      const daemon = await daemons.start('unix');
      // Nothing is sent before the end: what is not sampled then is missing.
      const settings = statsd({ 'statsd.socket': daemon.socket, 'statsd.every': '1h' });
      const pipeline = await stage.start(settings);
      const truth = await writeFiles(stage);
      expect(await drain(pipeline)).to.equal(truth.counted);
      await stage.stop(pipeline);
      const text = inPrometheus(parsePrometheus(await pipeline.metrics.prometheus()));
      const counters = await settled(daemon, keyIn('dogstatsd', 'process.cpu', { mode: 'user' }), () =>
        text('process.cpu', { mode: 'user' }),
      );
      expectTruth((name, tags = {}) => counters[keyIn('dogstatsd', name, tags)] ?? 0, truth);
    }));

  it('are there while it runs, without a daemon: lag, depth, delay from disk to model', () =>
    onStage(async (stage) => {
      const pipeline = await stage.start(SETTINGS, { live: true });
      const truth = await writeFiles(stage);
      expect(await drain(pipeline)).to.equal(truth.counted);
      const families = parsePrometheus(await pipeline.metrics.prometheus());
      const received = inPrometheus(families);
      expectTruth(received, truth);
      for (let partition = 0; partition < PARTITIONS; partition++) {
        expect(received('partition.lag', { partition: String(partition) })).to.equal(0);
        const found = families.get('geoflock_partition_lag')?.series.length;
        expect(found, 'partitions with a lag').to.equal(PARTITIONS);
      }
      expect(received('model.weight')).to.equal(truth.counted);
      expect(received('cluster.weight', { rank: '1' })).to.be.above(0);
      expect(received('connection.messages', { connection: 'files' })).to.equal(FILES);
      const delays = families.get(prometheusName('model.delay'))?.series ?? [];
      expect(delays.find(({ name }) => name.endsWith('_count'))?.value, 'delays').to.be.at.least(FILES);
      expect(delays.find(({ name }) => name.endsWith('_sum'))?.value, 'seconds').to.be.above(0);
      expect(pipeline.metrics.contentType).to.match(/^text\/plain; version=0\.0\.4/);
    }));
});

describe('a StatsD that is no help', () => {
  const daemons = new Daemons();
  let undisturbed: Outcome;

  before(async () => {
    undisturbed = await outcome(SETTINGS);
  });

  afterEach(() => daemons.end());

  /** What a run comes to, whatever is made of its metrics. */
  interface Outcome {
    readonly summaries: Record<string, string>;
    readonly rows: object;
    readonly exit: string;
  }

  async function outcome(
    settings: Settings,
    inTheMiddle: (pipeline: Pipeline) => Promise<void> | void = () => undefined,
    log = new RecordedLog(),
  ): Promise<Outcome> {
    const outcomes: Outcome[] = [];
    await onStage(async (stage) => {
      const pipeline = await stage.start(settings, { log });
      const { counted } = await writeFiles(stage);
      const drained = drain(pipeline);
      await until('the first rows are counted', () =>
        pipeline.topology.stats.partitions.some(({ rowsCounted }) => rowsCounted > 0),
      );
      await inTheMiddle(pipeline);
      expect(await drained).to.equal(counted);
      outcomes.push({
        summaries: await summaries(pipeline.broker, PARTITIONS),
        rows: (await pipeline.totals()).rows,
        exit: (await within(20_000, 'the end of the pipeline', pipeline.stop())).kind,
      });
    });
    return outcomes[0] as Outcome;
  }

  it('not there from the beginning changes nothing', async () => {
    const port = String(await freeUdpPort());
    expect(await outcome(statsd({ 'statsd.port': port }))).to.deep.equal(undisturbed);
  });

  it('killed in the middle changes nothing', async () => {
    const daemon = await daemons.start();
    const killed = await outcome(statsd({ 'statsd.port': String(daemon.port) }), () => {
      daemon.signal('SIGKILL');
    });
    expect(killed).to.deep.equal(undisturbed);
  });

  it('that reads nothing any more changes nothing', async () => {
    const daemon = await daemons.start();
    const stopped = await outcome(statsd({ 'statsd.port': String(daemon.port) }), () => {
      daemon.signal('SIGSTOP');
    });
    expect(stopped).to.deep.equal(undisturbed);
  });

  it('of which the name leads nowhere changes nothing; that is counted, and told once', async () => {
    const log = new RecordedLog();
    let pipeline: Pipeline | undefined;
    const nowhere = statsd({ 'statsd.host': 'statsd.invalid' });
    const told = (): string[] => log.messages('warn').filter((line) => line.includes('StatsD'));
    const look = async (running: Pipeline): Promise<void> => {
      pipeline = running;
      await until('the loss is told', () => told().length > 0);
    };
    expect(await outcome(nowhere, look, log)).to.deep.equal(undisturbed);
    expect(told()).to.deep.equal(['metrics are lost on the way to StatsD']);
    const text = (await pipeline?.metrics.prometheus()) ?? '';
    expect(inPrometheus(parsePrometheus(text))('statsd.errors')).to.be.above(0);
  });

  it('behind a unix socket that takes connections and never reads changes nothing', () =>
    onStage(async (stage) => {
      const path = join(stage.folder, 'statsd.sock');
      const open: Socket[] = [];
      const server = createServer((stream) => {
        stream.pause();
        open.push(stream);
      });
      await new Promise<void>((resolve) => server.listen(path, resolve));
      try {
        expect(await outcome(statsd({ 'statsd.socket': path }))).to.deep.equal(undisturbed);
        expect(open).to.not.deep.equal([]);
      } finally {
        for (const stream of open) {
          stream.destroy();
        }
        server.close();
      }
    }));
});

/** The daemon's counters, when the last datagram is among them. */
async function settled(daemon: Daemon, key: string, sum: () => number): Promise<Record<string, number>> {
  let counters: Record<string, number> = {};
  const same = async (): Promise<void> => {
    for (;;) {
      counters = await daemon.counters();
      if (Math.abs((counters[key] ?? 0) - sum()) < 1e-6) {
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  await within(10_000, () => `${key} at ${String(sum())}, the daemon has ${String(counters[key])}`, same());
  return counters;
}

/** Everything that Prometheus would read has the same value at the daemon. */
function expectSame(
  families: ReadonlyMap<string, Family>,
  flavor: 'dogstatsd' | 'plain',
  counters: Record<string, number>,
  gauges: Record<string, number>,
  timers: Record<string, readonly number[]>,
): void {
  let compared = 0;
  for (const name of METRIC_NAMES) {
    const { kind } = specOf(name);
    for (const series of families.get(prometheusName(name))?.series ?? []) {
      const key = keyIn(flavor, name, series.labels);
      if (kind === 'counter') {
        expect(counters[key] ?? 0, key).to.be.closeTo(series.value, 1e-6);
      } else if (kind === 'gauge') {
        expect(gauges[key], key).to.equal(series.value);
      } else if (series.name.endsWith('_count')) {
        expect(timers[key]?.length ?? 0, key).to.equal(series.value);
      } else {
        continue;
      }
      compared++;
    }
  }
  expect(compared).to.be.at.least(METRIC_NAMES.length);
}
