import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type LedgerEntry, decodeLedgerEntry } from '../../../src/actors/ingest/ledger.ts';
import { parseRejectedRow, type RejectedRow } from '../../../src/actors/rejected/rejected-row.ts';
import { CLOSED_PREFIX, FILE_PREFIX } from '../../../src/actors/topics.ts';
import type { Totals } from '../../../src/actors/totals.ts';
import type { Broker } from '../../../src/broker/broker.ts';
import type { Model } from '../../../src/clustering/model.ts';
import { loadConfiguration } from '../../../src/config/load.ts';
import type { FlagValue } from '../../../src/config/sources.ts';
import { type Pipeline, startPipeline } from '../../../src/pipeline.ts';
import type { Logger } from '../../../src/system/logger.ts';

export const HEADER = 'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked';

/** A good row; every number gives another one. */
export function row(n: number): string {
  const time = new Date(Date.UTC(2026, 0, 1) + n).toISOString().replace('T', ' ').replace('Z', '');
  return `${time},device-${String(n)},0.5,0.25,9.81,${String((n % 340) - 170)}.5,${String((n % 160) - 80)}.25,1`;
}

export function rows(count: number, from = 0): string {
  return Array.from({ length: count }, (_, n) => `${row(from + n)}\n`).join('');
}

export function csv(count: number, from = 0): string {
  return `${HEADER}\n${rows(count, from)}`;
}

/** A folder for files to read, and the state and report of the runs that read them. */
export class Workshop {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-ingest-'));
  readonly input = path.join(this.folder, 'input');

  constructor() {
    fs.mkdirSync(this.input);
  }

  at(name: string): string {
    return path.join(this.input, name);
  }

  /** Writes a file that has not changed for a while. */
  put(name: string, content: string | Uint8Array, ageMs = 60_000): void {
    fs.mkdirSync(path.dirname(this.at(name)), { recursive: true });
    fs.writeFileSync(this.at(name), content);
    this.age(name, ageMs);
  }

  age(name: string, ageMs = 60_000): void {
    const then = new Date(Date.now() - ageMs);
    fs.utimesSync(this.at(name), then, then);
  }

  remove(): void {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  /** Starts the whole pipeline on the folder. Settings are configuration keys. */
  async start(options: RunSettings = {}): Promise<Run> {
    const flags = Object.entries({
      'input.directory': this.input,
      'state.directory': path.join(this.folder, 'state'),
      'report.directory': path.join(this.folder, 'report'),
      'input.events': 'false',
      'topics.partitions': '2',
      'broker.embedded.mapSize': '1GiB',
      ...options.settings,
    }).map(([key, value]): FlagValue => ({ flag: key, key, value }));
    const { configuration } = loadConfiguration({ flags, environment: {} });
    const messages: LoggedLine[] = [];
    const intercept =
      options.afterCommit === undefined ? {} : { intercept: afterEachCommit(options.afterCommit) };
    const pipeline = await startPipeline(configuration, {
      log: recording(messages, options.onLog),
      live: false,
      ...intercept,
    });
    return new Run(pipeline, messages);
  }

  /** One whole run over what is there. */
  async once(options: RunSettings & { readonly settleTimeoutMs?: number } = {}): Promise<Outcome> {
    const run = await this.start(options);
    try {
      return await run.sweep(options.settleTimeoutMs ?? 30_000);
    } finally {
      await run.stop();
    }
  }
}

export interface LoggedLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface RunSettings {
  readonly settings?: Readonly<Record<string, string>>;
  /** Called after each commit of the publisher, before it goes on. */
  readonly afterCommit?: (commits: number) => void | Promise<void>;
  readonly onLog?: (line: LoggedLine) => void;
}

export interface Outcome {
  readonly totals: Totals;
  readonly model: Model;
  /** The live entry of each path. */
  readonly entries: ReadonlyMap<string, LedgerEntry>;
  /** Entries of files that were replaced by others of the same path. */
  readonly closed: readonly LedgerEntry[];
  readonly rejected: readonly RejectedRow[];
  readonly messages: readonly LoggedLine[];
  /** What decides the exit code. */
  readonly filesFailed: number;
}

export class Run {
  readonly pipeline: Pipeline;
  readonly messages: readonly LoggedLine[];

  constructor(pipeline: Pipeline, messages: readonly LoggedLine[]) {
    this.pipeline = pipeline;
    this.messages = messages;
  }

  async sweep(settleTimeoutMs = 30_000): Promise<Outcome> {
    const { model } = await this.pipeline.drain({ settleTimeoutMs }, 60_000);
    return await this.look(model);
  }

  async look(model: Model): Promise<Outcome> {
    const { broker, topology } = this.pipeline;
    const entries = new Map<string, LedgerEntry>();
    const closed: LedgerEntry[] = [];
    for (let partition = 0; partition < topology.stats.partitions.length; partition++) {
      for await (const { value } of broker.tableEntries(topology.topics.files, partition, FILE_PREFIX)) {
        const entry = decodeLedgerEntry(value);
        entries.set(entry.path, entry);
      }
      for await (const { value } of broker.tableEntries(topology.topics.files, partition, CLOSED_PREFIX)) {
        closed.push(decodeLedgerEntry(value));
      }
    }
    return {
      totals: await this.pipeline.totals(),
      model,
      entries,
      closed,
      rejected: await rejectedRows(broker, topology.topics.rejected),
      messages: this.messages,
      filesFailed: topology.stats.publisher.filesFailed,
    };
  }

  async stop(): Promise<void> {
    await this.pipeline.stop();
  }
}

async function rejectedRows(broker: Broker, topic: string): Promise<readonly RejectedRow[]> {
  const { end } = await broker.offsets(topic, 0);
  const reader = await broker.openReader(topic, 0, 0);
  const found: RejectedRow[] = [];
  while (reader.position < end) {
    for (const { value } of await reader.read(2 ** 20, AbortSignal.timeout(5_000))) {
      found.push(parseRejectedRow(value ?? new Uint8Array(0)));
    }
  }
  await reader.close();
  return found;
}

function recording(lines: LoggedLine[], onLog: (line: LoggedLine) => void = () => undefined): Logger {
  const at =
    (level: LoggedLine['level']) =>
    (fields: object, text: string): void => {
      const line = { level, text, fields: { ...fields } };
      lines.push(line);
      onLog(line);
    };
  const log: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: () => log,
  };
  return log;
}

function afterEachCommit(hook: (commits: number) => void | Promise<void>): (broker: Broker) => Broker {
  let commits = 0;
  return (broker) => ({
    kind: broker.kind,
    declareTopics: (topics, missing) => broker.declareTopics(topics, missing),
    join: (group, topic, listener) => broker.join(group, topic, listener),
    openReader: (topic, partition, offset) => broker.openReader(topic, partition, offset),
    offsets: (topic, partition) => broker.offsets(topic, partition),
    readableEnd: (topic, partition) => broker.readableEnd(topic, partition),
    offsetAt: (topic, partition, timestamp) => broker.offsetAt(topic, partition, timestamp),
    refreshTable: (table, partition) => broker.refreshTable(table, partition),
    tableEntries: (table, partition, prefix, since) => broker.tableEntries(table, partition, prefix, since),
    tableMark: (table, partition) => broker.tableMark(table, partition),
    tableGet: (table, partition, key) => broker.tableGet(table, partition, key),
    consumedUpTo: (topic, partition, offset) => broker.consumedUpTo(topic, partition, offset),
    consumeAgainFrom: (topic, partition, offset) => broker.consumeAgainFrom(topic, partition, offset),
    unconsumed: (topic) => broker.unconsumed(topic),
    close: () => broker.close(),
    openWriter: async (name, claim) => {
      const writer = await broker.openWriter(name, claim);
      return {
        name,
        close: () => writer.close(),
        begin: () => {
          const transaction = writer.begin();
          return {
            append: (topic, partition, records) => {
              transaction.append(topic, partition, records);
            },
            put: (table, partition, key, value) => {
              transaction.put(table, partition, key, value);
            },
            abort: () => transaction.abort(),
            commit: async () => {
              const committed = await transaction.commit();
              if (name.startsWith('publisher')) {
                commits++;
                await hook(commits);
              }
              return committed;
            },
          };
        },
      };
    },
  });
}
