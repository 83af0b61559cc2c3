import path from 'node:path';
import { z } from 'zod';
import { MODEL_FORMATS } from '../clustering/model-formats.ts';
import { adminChecks, adminSchema } from './admin-schema.ts';
import {
  column,
  count,
  countOrAuto,
  duration,
  durationOrAuto,
  durationOrOff,
  flag,
  folder,
  folderOrNone,
  oneOf,
  scheduleOrOff,
  share,
  size,
  someOf,
  text,
  utcOffset,
  wholeNamePattern,
} from './fields.ts';
import { kafkaChecks, kafkaSchema } from './kafka-schema.ts';
import { statsdChecks, statsdSchema } from './statsd-schema.ts';
import { streamingKMeansChecks, streamingKMeansSchema } from './streaming-kmeans-schema.ts';

/**
 * The whole configuration. Defaults, and what each key means to a user, stand in
 * `config/default.yaml`; here are types and limits. Durations read as milliseconds, sizes as bytes.
 * Unknown keys are errors.
 */

const topicName = text('a name of letters, digits, dots, hyphens and underscores', /^[A-Za-z0-9._-]{1,200}$/);
const topicPrefix = text(
  'letters, digits, dots, hyphens and underscores, or nothing',
  /^[A-Za-z0-9._-]{0,40}$/,
);

/** By the extensions of the files. */
const EXPORT_FORMATS = ['html', 'md', ...MODEL_FORMATS] as const;

const rowsAndBytes = {
  rows: count({ min: 1, max: 2 ** 31 }),
  bytes: size({ min: 1 }),
};

/** Each k up to kMax is searched for: time grows with its square. */
const MOST_K_TO_CHOOSE = 100;

const tenYears = 3650 * 86_400_000;

const retention = z.strictObject({
  bytes: size({ min: 0 }),
  /** Milliseconds. */
  age: duration({ min: 1000, max: tenYears }),
});

export const configurationSchema = z
  .strictObject({
    input: z.strictObject({
      directory: folder(),
      filter: wholeNamePattern(),
      recursive: flag(),
      after: oneOf('keep', 'delete', 'move'),
      moveTo: folderOrNone(),
      minimumAge: duration(),
      scanEvery: duration({ min: 50 }),
      settleTimeout: duration(),
      events: flag(),
    }),
    replica: z.strictObject({
      name: text(
        'a name of letters, digits, dots, hyphens and underscores, or nothing: the name of the machine',
        /^[A-Za-z0-9._-]{0,100}$/,
      ),
    }),
    state: z.strictObject({ directory: folder() }),
    report: z.strictObject({ directory: folder(), every: scheduleOrOff({ min: 1000 }) }),
    exports: z.strictObject({
      directory: folder(),
      every: scheduleOrOff({ min: 1000 }),
      formats: someOf(...EXPORT_FORMATS),
      keep: z.strictObject({
        count: count({ min: 1, max: 1_000_000 }),
        age: duration({ min: 1000, max: tenYears }),
      }),
    }),
    source: z.strictObject({
      name: text('a name of letters, digits, dots, hyphens and underscores', /^[A-Za-z0-9._-]{1,100}$/),
      columns: z.strictObject({
        timepoint: column(),
        deviceId: column(),
        acceloX: column(),
        acceloY: column(),
        acceloZ: column(),
        longitude: column(),
        latitude: column(),
        locked: column(),
      }),
      /** Minutes east of UTC. */
      timezone: utcOffset(),
      maxLineBytes: size({ min: 64, max: 16 * 2 ** 20 }),
      maxFuture: duration({ max: tenYears }),
    }),
    ingest: z.strictObject({ ownership: oneOf('shared', 'local') }),
    /** `every` is null when the test source is off. */
    sample: z.strictObject({ every: durationOrOff({ min: 10 }) }),
    publisher: z.strictObject({
      transactionBytes: size({ min: 1024, max: 2 ** 30 }),
      linesPerMessage: countOrAuto({ min: 1, max: 100_000 }),
    }),
    topics: z.strictObject({
      group: text('a name of letters, digits, dots, hyphens and underscores', /^[A-Za-z0-9._-]{1,100}$/),
      prefix: topicPrefix,
      rows: topicName,
      partitions: count({ min: 1, max: 1024 }),
    }),
    broker: z.strictObject({
      kind: oneOf('embedded', 'kafka'),
      wait: duration(),
      kafka: kafkaSchema,
      embedded: z.strictObject({
        mapSize: size({ min: 2 ** 20, max: 2 ** 46 }),
        safeRestore: flag(),
        retention,
      }),
    }),
    rejected: z.strictObject({ retention }),
    connections: z.strictObject({
      files: z.strictObject(rowsAndBytes),
      rows: z.strictObject(rowsAndBytes),
      log: z.strictObject({ bytes: rowsAndBytes.bytes }),
    }),
    memory: z.strictObject({ budget: size({ min: 1 }) }),
    partitions: z.strictObject({
      startPosition: oneOf('earliest', 'latest'),
      fanOutRows: count({ min: 1, max: 2 ** 24 }),
      fanOutIdle: duration({ max: 60_000 }),
    }),
    checkpoint: z.strictObject({ every: duration({ min: 10 }), rows: count({ min: 1 }) }),
    regions: z.strictObject({
      level: count({ min: 0, max: 8 }),
      features: count({ min: 8, max: 1_000_000 }),
      pane: durationOrAuto({ min: 1000, max: tenYears }),
      history: duration({ min: 1000, max: tenYears }),
      lateness: durationOrOff({ max: tenYears }),
    }),
    clustering: z.strictObject({
      algorithm: oneOf('summary', 'streaming-kmeans'),
      k: countOrAuto({ min: 1, max: 10_000 }),
      kMin: count({ min: 1, max: MOST_K_TO_CHOOSE }),
      kMax: count({ min: 1, max: MOST_K_TO_CHOOSE }),
      seed: count({ min: 0, max: 2 ** 32 - 1 }),
      seeds: count({ min: 1, max: 1000 }),
      features: count({ min: 1, max: 10_000_000 }),
      halfLife: durationOrOff({ min: 1000, max: tenYears }),
      window: durationOrOff({ min: 1000, max: tenYears }),
      drift: z.strictObject({
        enabled: flag(),
        window: durationOrAuto({ min: 1000, max: tenYears }),
      }),
      streamingKMeans: streamingKMeansSchema,
    }),
    model: z.strictObject({ every: duration({ min: 10 }) }),
    supervision: z.strictObject({
      restarts: count({ min: 0, max: 1_000_000 }),
      window: duration({ min: 1 }),
      initialBackoff: duration(),
      maxBackoff: duration(),
      jitter: share(),
    }),
    admin: adminSchema,
    health: z.strictObject({
      stuckAfter: duration({ min: 1000 }),
      brokerTimeout: duration({ min: 100 }),
      eventLoopLimit: durationOrOff({ min: 1000 }),
    }),
    statsd: statsdSchema,
    shutdown: z.strictObject({ deadline: duration({ min: 100 }) }),
    log: z.strictObject({
      level: oneOf('debug', 'info', 'warn', 'error', 'silent'),
      format: oneOf('auto', 'human', 'json'),
    }),
  })
  .superRefine((all, context) => {
    for (const [at, message] of crossChecks(all)) {
      context.addIssue({ code: 'custom', path: at.split('.'), message });
    }
  });

type DeepReadonly<T> = T extends RegExp | number | readonly string[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/** The effective configuration: durations in milliseconds, sizes in bytes, folders absolute. */
export type Configuration = DeepReadonly<z.output<typeof configurationSchema>>;

/** What must hold between keys: pairs of the key to name and what it should have been. */
export function* crossChecks(all: Configuration): Generator<readonly [string, string]> {
  const { input, source, publisher, connections, clustering, supervision, memory } = all;
  if (input.after === 'move' && input.moveTo === null) {
    yield ['input.moveTo', 'expected the path of a folder, because input.after is move'];
  }
  if (input.after === 'move' && input.moveTo !== null && isInside(input.moveTo, input.directory)) {
    yield ['input.moveTo', `expected a folder outside of input.directory (${input.directory})`];
  }
  if (publisher.transactionBytes <= source.maxLineBytes) {
    yield [
      'publisher.transactionBytes',
      `expected more than source.maxLineBytes (${String(source.maxLineBytes)} bytes), so that a line fits`,
    ];
  }
  for (const name of ['files', 'rows', 'log'] as const) {
    if (connections[name].bytes < source.maxLineBytes) {
      yield [
        `connections.${name}.bytes`,
        `expected at least source.maxLineBytes (${String(source.maxLineBytes)} bytes), so that a line fits`,
      ];
    }
  }
  const leastBudget = Math.max(64 * 1024, 4 * (source.maxLineBytes + 2));
  if (memory.budget < leastBudget) {
    yield [
      'memory.budget',
      `expected at least ${String(leastBudget)} bytes (64 KiB, or four times source.maxLineBytes where that is ` +
        'more), so that a line fits',
    ];
  }
  yield* kChecks(clustering);
  yield* streamingKMeansChecks(clustering);
  if (supervision.maxBackoff < supervision.initialBackoff) {
    yield ['supervision.maxBackoff', 'expected at least supervision.initialBackoff'];
  }
  yield* statsdChecks(all.statsd);
  yield* columnChecks(source.columns);
  yield* topicChecks(all.topics);
  yield* adminChecks(all.admin);
  if (all.broker.kind === 'kafka') {
    yield* kafkaChecks(all.broker.kafka);
  }
}

function* kChecks({
  features,
  k,
  kMax,
  kMin,
}: Configuration['clustering']): Generator<readonly [string, string]> {
  if (kMin > kMax) {
    yield ['clustering.kMin', `expected at most clustering.kMax (${String(kMax)}): lower this or raise that`];
  }
  const [name, most] = k === 'auto' ? ['clustering.kMax', kMax] : ['clustering.k', k];
  if (features < most) {
    yield ['clustering.features', `expected at least ${name} (${String(most)})`];
  }
}

/** Kafka's limit for the name of a topic. */
const MAX_TOPIC_NAME = 249;

function* topicChecks({
  group,
  prefix,
  rows,
}: Configuration['topics']): Generator<readonly [string, string]> {
  if (rows === '.' || rows === '..') {
    yield ['topics.rows', 'expected another name, because no topic can be called so'];
  }
  if (rows.startsWith(`${group}.`)) {
    yield ['topics.rows', `expected a name that does not begin with topics.group and a dot (${group}.)`];
  }
  // The longest name that is made of them.
  const longest = `${prefix}${rows}.rejected.${group}`.length;
  if (longest > MAX_TOPIC_NAME) {
    yield [
      'topics.rows',
      `expected a shorter name: with topics.prefix and topics.group the topic of rejected rows has ${String(longest)} characters, and Kafka takes ${String(MAX_TOPIC_NAME)}`,
    ];
  }
}

function* columnChecks(columns: Configuration['source']['columns']): Generator<readonly [string, string]> {
  const taken = new Map<string | number, string>();
  for (const [name, place] of Object.entries(columns)) {
    if (place === undefined) {
      continue;
    }
    const other = taken.get(place);
    if (other !== undefined) {
      yield [`source.columns.${name}`, `expected another column than source.columns.${other}`];
    }
    taken.set(place, name);
  }
}

function isInside(folderPath: string, outer: string): boolean {
  const relative = path.relative(outer, folderPath);
  return relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative);
}
