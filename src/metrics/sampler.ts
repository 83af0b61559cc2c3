import type { PipelineStats } from '../actors/stats.ts';
import { type Stage, STAGES } from '../admin/stages.ts';
import type { Broker } from '../broker/broker.ts';
import type { ActorSystem } from '../system/actor-system.ts';
import type { ByteBudget } from '../system/budget.ts';
import type { ConnectionRegistry } from '../system/connection-registry.ts';
import type { NameOf, TagArguments } from './catalogue.ts';
import type { Metrics } from './recorder.ts';

/** What there is to be read of a running pipeline. */
export interface Sources {
  readonly stats: PipelineStats;
  readonly connections: Pick<ConnectionRegistry, 'list' | 'traffic'>;
  readonly budget: Pick<ByteBudget, 'used'>;
  readonly system: Pick<ActorSystem, 'inspect' | 'deadLetters'>;
  readonly broker: Pick<Broker, 'offsets' | 'unconsumed'>;
  readonly isReady: () => boolean;
  readonly isPaused: (stage: Stage) => boolean;
  /** Topic of the rows. */
  readonly rows: string;
}

/** The stage of an actor's path: all partitions have one name, and all regions. */
export function actorName(path: string): string {
  const last = path.slice(path.lastIndexOf('/') + 1);
  return /^(?:partition|region)(?=-)/.exec(last)?.[0] ?? last;
}

/** Reads the state of the stages into metrics: counters by what was added since the last time, gauges as they are. */
export class Sampler {
  readonly #metrics: Metrics;
  readonly #sources: Sources;
  /** What each counter with its tags has come to. */
  readonly #counted = new Map<string, number>();
  readonly #ends = new Map<number, number>();
  #asking: Promise<void> | undefined;

  constructor(metrics: Metrics, sources: Sources) {
    this.#metrics = metrics;
    this.#sources = sources;
  }

  sample(): void {
    this.#files();
    this.#partitions();
    this.#models();
    this.#connections();
    this.#actors();
    this.#health();
    const metrics = this.#metrics;
    const { broker, budget, rows } = this.#sources;
    const { bytes, records } = broker.unconsumed(rows);
    metrics.gauge('log.messages', [{ value: records, tags: {} }]);
    metrics.gauge('log.bytes', [{ value: bytes, tags: {} }]);
    metrics.gauge('memory.budget', [{ value: budget.used, tags: {} }]);
  }

  /** Asks the broker where the logs end; the next sample tells it. One question at a time. Never rejects. */
  askForEnds(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<void> {
    const { broker, rows, stats } = this.#sources;
    await Promise.all(
      stats.partitions
        .filter(({ restored }) => restored)
        .map(async ({ partition }) => {
          try {
            this.#ends.set(partition, (await broker.offsets(rows, partition)).end);
          } catch {
            // A broker that is away, or closed: the lag is not known then.
            this.#ends.delete(partition);
          }
        }),
    );
  }

  #health(): void {
    const { isPaused, isReady, stats } = this.#sources;
    this.#metrics.gauge('health.ready', [{ value: Number(isReady()), tags: {} }]);
    this.#metrics.gauge(
      'stage.paused',
      STAGES.map((stage) => ({ value: Number(isPaused(stage)), tags: { stage } })),
    );
    this.#total('health.stuck', stats.stuckRestarts);
  }

  #files(): void {
    const metrics = this.#metrics;
    const { fileWatcher, publisher } = this.#sources.stats;
    this.#total('watcher.scans', fileWatcher.scans);
    this.#total('watcher.busy', fileWatcher.busyMs / 1000);
    metrics.gauge('watcher.files', [{ value: fileWatcher.files, tags: {} }]);
    metrics.gauge('watcher.files.waiting', [{ value: fileWatcher.waiting, tags: {} }]);
    metrics.gauge('watcher.folders.unreadable', [{ value: fileWatcher.unreadable, tags: {} }]);
    for (const [state, files] of Object.entries(publisher.fileStates)) {
      this.#total('publisher.files', files, { state });
    }
    this.#total('publisher.rows.read', publisher.rowsRead);
    this.#total('publisher.rows.published', publisher.rowsPublished);
    for (const [reason, rows] of Object.entries(publisher.rejectedByReason)) {
      this.#total('publisher.rows.rejected', rows, { reason });
    }
    this.#total('publisher.bytes', publisher.bytes);
    this.#total('publisher.messages', publisher.messages);
    this.#total('publisher.steps', publisher.steps);
    this.#total('publisher.busy', publisher.busyMs / 1000);
  }

  #partitions(): void {
    const metrics = this.#metrics;
    const { partitions } = this.#sources.stats;
    for (const stats of partitions) {
      const tags = { partition: String(stats.partition) };
      this.#total('partition.messages', stats.messages, tags);
      this.#total('partition.rows.parsed', stats.rowsRead, tags);
      this.#total('partition.rows.counted', stats.committed.counted, tags);
      for (const [reason, rows] of Object.entries(stats.committed.rejectedByReason)) {
        this.#total('partition.rows.rejected', rows, { ...tags, reason });
      }
      this.#total('partition.slices', stats.slices, tags);
      this.#total('partition.busy', stats.parseMs / 1000, tags);
      this.#total('partition.checkpoints', stats.checkpoints, tags);
      this.#total('partition.checkpoint.bytes', stats.checkpointBytes, tags);
      this.#total('region.messages', stats.folds, tags);
      this.#total('region.busy', stats.foldMs / 1000, tags);
    }
    const owned = partitions
      .filter((stats) => stats.restored)
      .map((stats) => ({ ...stats, tags: { partition: String(stats.partition) } }));
    metrics.gauge(
      'partition.checkpoint.size',
      owned.map(({ lastCheckpointBytes, tags }) => ({ value: lastCheckpointBytes, tags })),
    );
    metrics.gauge(
      'partition.regions',
      owned.map(({ regions, tags }) => ({ value: regions, tags })),
    );
    metrics.gauge(
      'partition.lag',
      owned.flatMap(({ nextOffset, partition, tags }) => {
        const end = this.#ends.get(partition);
        return end === undefined ? [] : [{ value: Math.max(0, end - nextOffset), tags }];
      }),
    );
  }

  #models(): void {
    const { aggregator, reporter } = this.#sources.stats;
    this.#total('aggregator.models', aggregator.models);
    this.#total('aggregator.busy', aggregator.busyMs / 1000);
    for (const kind of ['report', 'export'] as const) {
      this.#total('reporter.reports', reporter[kind].count, { kind });
      this.#total('reporter.busy', reporter[kind].busyMs / 1000, { kind });
    }
  }

  #connections(): void {
    const metrics = this.#metrics;
    const { connections } = this.#sources;
    for (const { name, sent, waits } of connections.traffic()) {
      this.#total('connection.messages', sent, { connection: name });
      this.#total('connection.waits', waits, { connection: name });
    }
    const open = connections.list().map(({ depth, name, waiting }) => ({
      depth,
      waiting,
      tags: { connection: name },
    }));
    metrics.gauge(
      'connection.rows',
      open.map(({ depth, tags }) => ({ value: depth.rows, tags })),
    );
    metrics.gauge(
      'connection.bytes',
      open.map(({ depth, tags }) => ({ value: depth.bytes, tags })),
    );
    metrics.gauge(
      'connection.waiting',
      open.map(({ tags, waiting }) => ({ value: waiting, tags })),
    );
  }

  #actors(): void {
    const { system } = this.#sources;
    const mailboxes = new Map<string, number>();
    for (const { mailbox, path } of system.inspect()) {
      const actor = actorName(path);
      mailboxes.set(actor, (mailboxes.get(actor) ?? 0) + mailbox);
    }
    this.#metrics.gauge(
      'actor.mailbox',
      [...mailboxes].map(([actor, value]) => ({ value, tags: { actor } })),
    );
    const letters = new Map<string, number>();
    for (const { count, reason } of system.deadLetters.counts()) {
      letters.set(reason, (letters.get(reason) ?? 0) + count);
    }
    for (const [reason, count] of letters) {
      this.#total('actor.dead_letters', count, { reason });
    }
  }

  /** Counts what a sum has grown by since the last time. */
  #total<Name extends NameOf<'counter'>>(name: Name, sum: number, ...tags: TagArguments<Name>): void {
    const key = JSON.stringify([name, tags]);
    const before = this.#counted.get(key) ?? 0;
    if (sum > before) {
      this.#counted.set(key, sum);
      this.#metrics.count(name, sum - before, ...tags);
    }
  }
}
