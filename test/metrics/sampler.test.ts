import { expect } from 'chai';
import { emptyStats, type PipelineStats } from '../../src/actors/stats.ts';
import { actorName, Sampler } from '../../src/metrics/sampler.ts';
import { ByteBudget } from '../../src/system/budget.ts';
import { Connection } from '../../src/system/connection.ts';
import { ConnectionRegistry } from '../../src/system/connection-registry.ts';
import type { ActorInfo, DeadLetters } from '../../src/system/actor-system.ts';
import { RecordedMetrics } from '../support/recorded-metrics.ts';
import { settle } from '../support/simulated-clock.ts';

describe('the sampler', () => {
  let stats: PipelineStats;
  let connections: ConnectionRegistry;
  let actors: ActorInfo[];
  let metrics: RecordedMetrics;
  let letters: DeadLetters;
  let ends: (() => Promise<{ first: number; end: number }>)[];
  let asked: number[];
  let sampler: Sampler;
  let ready = false;

  beforeEach(() => {
    stats = emptyStats(2);
    connections = new ConnectionRegistry();
    actors = [];
    metrics = new RecordedMetrics();
    asked = [];
    ends = [];
    letters = { counts: () => [] } as unknown as DeadLetters;
    sampler = new Sampler(metrics, {
      stats,
      connections,
      budget: { used: 77 },
      system: {
        inspect: () => actors,
        get deadLetters() {
          return letters;
        },
      },
      broker: {
        unconsumed: () => ({ bytes: 11, records: 3 }),
        offsets: (_topic, partition) => {
          asked.push(partition);
          return (ends[partition] ?? (() => Promise.reject(new Error('away'))))();
        },
      },
      isReady: () => ready,
      isPaused: (stage) => stage === 'publisher',
      rows: 'mobile_data',
    });
  });

  it('counts what was added since the last sample, and nothing where nothing was', () => {
    stats.publisher.rowsRead = 10;
    stats.publisher.rejectedByReason.late = 2;
    sampler.sample();
    sampler.sample();
    expect(metrics.counted).to.deep.equal({
      'publisher.rows.read': 10,
      'publisher.rows.rejected late': 2,
    });
    stats.publisher.rowsRead = 15;
    sampler.sample();
    expect(metrics.counted['publisher.rows.read']).to.equal(15);
    expect(metrics.gauges).to.include({ 'log.messages': 3, 'log.bytes': 11, 'memory.budget': 77 });
  });

  it('tells the lag of the partitions that are worked on here, once the ends are known', async () => {
    const [first, second] = stats.partitions;
    Object.assign(first ?? {}, { restored: true, nextOffset: 90 });
    ends = [() => Promise.resolve({ first: 0, end: 100 }), () => Promise.resolve({ first: 0, end: 5 })];
    sampler.sample();
    expect(metrics.gauges).to.not.have.property('partition.lag 0');
    await sampler.askForEnds();
    sampler.sample();
    expect(asked).to.deep.equal([0]);
    expect(metrics.gauges['partition.lag 0']).to.equal(10);
    // What was committed since the end was asked for is no debt.
    Object.assign(first ?? {}, { nextOffset: 120 });
    Object.assign(second ?? {}, { restored: true, nextOffset: 5 });
    await sampler.askForEnds();
    sampler.sample();
    expect(metrics.gauges).to.include({ 'partition.lag 0': 0, 'partition.lag 1': 0 });
    Object.assign(first ?? {}, { restored: false });
    sampler.sample();
    expect(metrics.gauges).to.not.have.property('partition.lag 0');
    expect(metrics.gauges).to.not.have.property('partition.regions 0');
  });

  it('asks a broker that does not answer once, and knows no lag of one that is away', async () => {
    stats.partitions.forEach((partition) => (partition.restored = true));
    let answer: (offsets: { first: number; end: number }) => void = () => undefined;
    ends = [() => new Promise((resolve) => (answer = resolve))];
    const asking = sampler.askForEnds();
    void sampler.askForEnds();
    await settle();
    expect(asked).to.deep.equal([0, 1]);
    answer({ first: 0, end: 4 });
    await asking;
    sampler.sample();
    expect(metrics.gauges).to.include({ 'partition.lag 0': 4 });
    expect(metrics.gauges).to.not.have.property('partition.lag 1');
    ends = [];
    await sampler.askForEnds();
    sampler.sample();
    expect(metrics.gauges).to.not.have.property('partition.lag 0');
  });

  it('tells depth, waits and traffic of connections, also over their restarts', async () => {
    const budget = new ByteBudget(1_000);
    const open = (): Connection =>
      connections.register(
        new Connection({ name: 'files', receiver: 'publisher', thresholds: { rows: 2, bytes: 50 }, budget }),
      );
    const { signal } = new AbortController();
    const unread = { deliver: () => undefined, dropped: () => undefined };
    const first = open();
    await first.reserve({ rows: 2, bytes: 40 }, signal);
    void first.reserve({ rows: 1, bytes: 1 }, signal);
    first.send('a.csv', { rows: 1, bytes: 1 }, unread);
    sampler.sample();
    expect(metrics.gauges).to.include({
      'connection.rows files': 2,
      'connection.bytes files': 40,
      'connection.waiting files': 1,
    });
    first.send('b.csv', { rows: 1, bytes: 1 }, unread);
    first.close();
    sampler.sample();
    expect(metrics.gauges).to.not.have.property('connection.rows files');
    const second = open();
    await second.reserve({ rows: 1, bytes: 1 }, signal);
    second.send('c.csv', { rows: 1, bytes: 1 }, unread);
    sampler.sample();
    expect(metrics.counted).to.include({ 'connection.messages files': 3, 'connection.waits files': 1 });
  });

  it('tells health, and which stages are paused', () => {
    sampler.sample();
    expect(metrics.gauges).to.include({
      'health.ready': 0,
      'stage.paused publisher': 1,
      'stage.paused regions': 0,
    });
    ready = true;
    stats.stuckRestarts = 2;
    sampler.sample();
    expect(metrics.gauges).to.include({ 'health.ready': 1 });
    expect(metrics.counted).to.include({ 'health.stuck': 2 });
  });

  it('has one name for all partitions and one for all regions', () => {
    expect(
      [
        'partitions',
        'partitions/partition-12',
        'partitions/partition-12/region-89c',
        'ingest/file-watcher',
      ].map(actorName),
    ).to.deep.equal(['partitions', 'partition', 'region', 'file-watcher']);
    const info = { state: 'running', incarnation: 1, restarts: 0, lastError: undefined } as const;
    actors = [3, 4].map((mailbox) => ({ ...info, path: `partitions/partition-${String(mailbox)}`, mailbox }));
    letters = {
      counts: () => [
        { path: 'a', reason: 'stopped', count: 2 },
        { path: 'b', reason: 'stopped', count: 3 },
      ],
    } as unknown as DeadLetters;
    sampler.sample();
    expect(metrics.gauges['actor.mailbox partition']).to.equal(7);
    expect(metrics.counted['actor.dead_letters stopped']).to.equal(5);
  });
});
