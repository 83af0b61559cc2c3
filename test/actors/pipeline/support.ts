import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type KeptModel, publishedModels } from '../../../src/actors/models/published-models.ts';
import type { RejectedRow } from '../../../src/actors/rejected/rejected-row.ts';
import { parseRejectedRow } from '../../../src/actors/rejected/rejected-row.ts';
import type {
  Broker,
  Committed,
  OutgoingRecord,
  OwnershipClaim,
  Transaction,
  Writer,
} from '../../../src/broker/broker.ts';
import { FoldError } from '../../../src/clustering/features.ts';
import { loadConfiguration } from '../../../src/config/load.ts';
import type { Configuration } from '../../../src/config/schema.ts';
import { type Pipeline, type PipelineOptions, startPipeline } from '../../../src/pipeline.ts';
import { type Fold, fold } from '../../../src/actors/region/region-actor.ts';
import { systemClock } from '../../../src/system/clock.ts';
import type { Connection } from '../../../src/system/connection.ts';
import type { Logger } from '../../../src/system/logger.ts';

/** Settings by their keys, as a user would write them. */
export type Settings = Readonly<Record<string, string>>;

/** Small and quick: one partition, no waiting for files to settle, quick restarts. */
const TEST_SETTINGS: Settings = {
  'input.events': 'false',
  'input.minimumAge': '0s',
  'input.scanEvery': '50ms',
  'topics.partitions': '1',
  'broker.embedded.mapSize': '64MiB',
  'partitions.fanOutIdle': '5ms',
  'supervision.initialBackoff': '1ms',
  'supervision.maxBackoff': '5ms',
  'log.level': 'silent',
};

const DRAIN_TIMEOUT_MS = 100_000;

/** A working folder with a pipeline that may be stopped and started again on the same state. */
export class Stage {
  readonly folder: string;
  readonly #running = new Set<Pipeline>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'geoflock-pipeline-'));
    await mkdir(join(folder, 'input'));
    return new Stage(folder);
  }

  configuration(settings: Settings = {}): Configuration {
    const folders = {
      'input.directory': join(this.folder, 'input'),
      'state.directory': join(this.folder, 'state'),
      'report.directory': join(this.folder, 'report'),
    };
    const values = Object.entries({ ...TEST_SETTINGS, ...folders, ...settings });
    return loadConfiguration({
      environment: {},
      flags: values.map(([key, value]) => ({ flag: 'test', key, value })),
    }).configuration;
  }

  async start(settings: Settings = {}, options: Partial<PipelineOptions> = {}): Promise<Pipeline> {
    const pipeline = await startPipeline(this.configuration(settings), {
      live: false,
      log: new RecordedLog(),
      ...options,
    });
    this.#running.add(pipeline);
    return pipeline;
  }

  /** The file appears whole. */
  async write(name: string, text: string): Promise<void> {
    const prepared = join(this.folder, 'prepared.csv');
    const path = join(this.folder, 'input', name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(prepared, text);
    await rename(prepared, path);
  }

  /** The independent count: line feeds of all input files. */
  async countLines(): Promise<number> {
    let lines = 0;
    for (const name of await readdir(join(this.folder, 'input'))) {
      for (const byte of await readFile(join(this.folder, 'input', name))) {
        lines += byte === 10 ? 1 : 0;
      }
    }
    return lines;
  }

  async stop(pipeline: Pipeline): Promise<void> {
    this.#running.delete(pipeline);
    await pipeline.stop();
  }

  async close(): Promise<void> {
    for (const pipeline of this.#running) {
      await pipeline.stop();
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Runs `work` with a stage that is removed afterwards, whatever happens. */
export async function onStage(work: (stage: Stage) => Promise<void>): Promise<void> {
  const stage = await Stage.open();
  try {
    await work(stage);
  } finally {
    await stage.close();
  }
}

/** Reads what is in the folder and in the log, and gives the weight of the model made of it. */
export async function drain(pipeline: Pipeline): Promise<number> {
  const { model } = await pipeline.drain({ settleTimeoutMs: 30_000 }, DRAIN_TIMEOUT_MS);
  return model.weight;
}

/** Works off what is in the log, without looking at the folder, and gives the weight of the last model. */
export async function end(pipeline: Pipeline): Promise<number> {
  const { published: last, workedOff } = await pipeline.end(DRAIN_TIMEOUT_MS);
  if (last === undefined) {
    throw new Error(
      `no last model was made in ${String(DRAIN_TIMEOUT_MS)} ms (worked off: ${String(workedOff)})`,
    );
  }
  return last.model.weight;
}

/** All models that were published and are kept, in their order. */
export async function published({ broker, topology }: Pipeline): Promise<readonly KeptModel[]> {
  const { stats, topics } = topology;
  const { signal } = new AbortController();
  const ports = { broker, topics, partitions: stats.partitions.length, clock: systemClock, signal };
  const models: KeptModel[] = [];
  for await (const model of publishedModels(ports)) {
    models.push(model);
  }
  return models;
}

/** Keeps what was logged. */
export class RecordedLog implements Logger {
  readonly lines: { readonly level: string; readonly message: string; readonly fields: object }[];

  constructor(lines: RecordedLog['lines'] = []) {
    this.lines = lines;
  }

  messages(level: string): readonly string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message);
  }

  debug(fields: object, message: string): void {
    this.lines.push({ level: 'debug', message, fields });
  }

  info(fields: object, message: string): void {
    this.lines.push({ level: 'info', message, fields });
  }

  warn(fields: object, message: string): void {
    this.lines.push({ level: 'warn', message, fields });
  }

  error(fields: object, message: string): void {
    this.lines.push({ level: 'error', message, fields });
  }

  child(): Logger {
    return new RecordedLog(this.lines);
  }
}

/** Waits until `condition` holds; fails with `what` when it does not in time. */
export async function until(what: string, condition: () => boolean, timeoutMs = 30_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) {
      throw new Error(`not within ${String(timeoutMs)} ms: ${what}`);
    }
    await sleep(2);
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The connections from all partitions to their regions, once they are there. */
export async function regionConnections(pipeline: Pipeline): Promise<readonly Connection[]> {
  const { connections, stats } = pipeline.topology;
  const names = stats.partitions.map(({ partition }) => `partition-${String(partition)}=>regions`);
  await until('all partitions are running', () => names.every((name) => connections.get(name) !== undefined));
  return names.map((name) => connections.get(name)).filter((connection) => connection !== undefined);
}

/** Evenly spread numbers in [0, 1), the same in every run. */
function* spread(seed: number): Generator<number, never> {
  let state = seed >>> 0;
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state / 2 ** 32;
  }
}

const CITIES = [
  [2.35, 48.86],
  [-0.12, 51.5],
  [139.7, 35.7],
  [-74, 40.7],
] as const;

/** Rows of four cities, each a few hundred km wide; the time tells which row it is. */
export function rowLines(count: number, seed = 1): string[] {
  const random = spread(seed);
  return Array.from({ length: count }, (_, row) => {
    const [longitude, latitude] = CITIES[Math.floor(random.next().value * CITIES.length)] ?? CITIES[0];
    const east = longitude + 4 * (random.next().value - 0.5);
    const north = latitude + 4 * (random.next().value - 0.5);
    const time = new Date(timeOfRow(row)).toISOString();
    return `${time},d${String(row)},0.1,0.2,9.8,${east.toFixed(7)},${north.toFixed(7)},0`;
  });
}

export function timeOfRow(row: number): number {
  return Date.UTC(2026, 0, 1) + 1000 * row;
}

export function asFile(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

/** Like the product's fold, but it fails on the rows with these times. */
export function failingFold(times: readonly number[]): Fold {
  return (summary, rows, from, to) => {
    for (let row = from; row < to; row++) {
      if (times.includes(rows.time[row] ?? Number.NaN)) {
        fold(summary, rows, from, row);
        throw new FoldError(row, new Error('made to fail'));
      }
    }
    fold(summary, rows, from, to);
  };
}

export interface ForeignRecord {
  readonly value: string | null;
  readonly key?: string | null;
  readonly timestamp?: number;
  readonly partition?: number;
  readonly headers?: OutgoingRecord['headers'];
}

/** What another producer writes to the rows topic, in one transaction. */
export async function append(broker: Broker, records: readonly ForeignRecord[]): Promise<void> {
  const writer = await broker.openWriter('elsewhere');
  const transaction = writer.begin();
  for (const { value, key = null, timestamp = Date.now(), partition = 0, headers = {} } of records) {
    const bytes = value === null ? null : new TextEncoder().encode(value);
    transaction.append('mobile_data', partition, [{ key, value: bytes, timestamp, headers }]);
  }
  const { flushed } = await transaction.commit();
  await flushed;
  await writer.close();
}

/** All rejected rows, as somebody would read them from the topic. */
export async function rejectedRows(broker: Broker): Promise<readonly RejectedRow[]> {
  const { end } = await broker.offsets('mobile_data.rejected', 0);
  const reader = await broker.openReader('mobile_data.rejected', 0, 0);
  const rows: RejectedRow[] = [];
  while (reader.position < end) {
    for (const { key, value } of await reader.read(1 << 20, AbortSignal.timeout(5_000))) {
      if (value !== null) {
        const row = parseRejectedRow(value);
        if (row.id !== key) {
          throw new Error(`the key ${String(key)} is not the id ${row.id}`);
        }
        rows.push(row);
      }
    }
  }
  await reader.close();
  return rows;
}

/** The committed summaries, key by key. */
export async function summaries(
  broker: Broker,
  partitions: number,
  table = 'geoflock.regions',
): Promise<Record<string, string>> {
  const entries: Record<string, string> = {};
  for (let partition = 0; partition < partitions; partition++) {
    for await (const { key, value } of broker.tableEntries(table, partition, 'summary/')) {
      entries[`${String(partition)} ${key}`] = Buffer.from(value).toString('hex');
    }
  }
  return entries;
}

/** One commit of a writer: to be done, or to be left out. */
export interface Attempt {
  readonly writer: string;
  /** Tables and logs the transaction writes to. */
  readonly topics: ReadonlySet<string>;
  readonly commit: () => Promise<Committed>;
  readonly leaveOut: () => Promise<void>;
}

/** A broker whose commits go through `attempt`. */
export function interceptCommits(broker: Broker, attempt: (attempt: Attempt) => Promise<Committed>): Broker {
  return new Proxy(broker, {
    get(target, property) {
      if (property === 'openWriter') {
        return async (name: string, claim?: OwnershipClaim): Promise<Writer> =>
          interceptedWriter(await target.openWriter(name, claim), attempt);
      }
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

function interceptedWriter(writer: Writer, attempt: (attempt: Attempt) => Promise<Committed>): Writer {
  return {
    name: writer.name,
    begin: (): Transaction => {
      const own = writer.begin();
      const topics = new Set<string>();
      return {
        append: (topic, partition, records) => {
          topics.add(topic);
          own.append(topic, partition, records);
        },
        put: (table, partition, key, value) => {
          topics.add(table);
          own.put(table, partition, key, value);
        },
        commit: () =>
          attempt({ writer: writer.name, topics, commit: () => own.commit(), leaveOut: () => own.abort() }),
        abort: () => own.abort(),
      };
    },
    close: () => writer.close(),
  };
}
