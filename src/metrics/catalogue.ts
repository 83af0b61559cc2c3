/**
 * Every metric there is, once: all names, tags and units that StatsD and Prometheus see derive from here, and
 * recording anything else is a type error. `docs/METRICS.md` and the mapping for statsd_exporter say the same
 * (tested).
 *
 * A name is `<stage>.<what>`. The values of a tag are few, and known before the first row is read: never a
 * device, a file or an id that grows. Counters are of this process and begin at 0 with it.
 */

/** How the values of a metric are put together. */
export type MetricKind =
  /** What was added up since the process began. */
  | 'counter'
  /** What holds now; it replaces the value before. */
  | 'gauge'
  /** Single durations in milliseconds, of which the distribution matters. */
  | 'timing';

export interface MetricSpec {
  readonly kind: MetricKind;
  /** Of the value: `seconds` and `bytes`, or what is counted. A timing is in `ms`. */
  readonly unit: string;
  /** Names of the tags, in the order in which the plain flavor puts their values into the name. */
  readonly tags: readonly string[];
  readonly help: string;
}

export const CATALOGUE = {
  'watcher.scans': {
    kind: 'counter',
    unit: 'scans',
    tags: [],
    help: 'Scans of the input folder that came to their end.',
  },
  'watcher.busy': {
    kind: 'counter',
    unit: 'seconds',
    tags: [],
    help: 'Time that scans took.',
  },
  'watcher.files': {
    kind: 'gauge',
    unit: 'files',
    tags: [],
    help: 'Files in the input folder that match the filter, by the last scan.',
  },
  'watcher.files.waiting': {
    kind: 'gauge',
    unit: 'files',
    tags: [],
    help: 'Of these, files that still change or are too young to be read.',
  },
  'watcher.folders.unreadable': {
    kind: 'gauge',
    unit: 'folders',
    tags: [],
    help: 'Folders that the last scan could not list.',
  },
  'publisher.files': {
    kind: 'counter',
    unit: 'files',
    tags: ['state'],
    help: 'Files that came to a state: reading, done, settled (deleted or moved), failed or changed (replaced).',
  },
  'publisher.rows.read': {
    kind: 'counter',
    unit: 'rows',
    tags: [],
    help: 'Rows read from files, published or rejected, when that is committed.',
  },
  'publisher.rows.published': {
    kind: 'counter',
    unit: 'rows',
    tags: [],
    help: 'Rows committed to the topic, those of the test source too.',
  },
  'publisher.rows.rejected': {
    kind: 'counter',
    unit: 'rows',
    tags: ['reason'],
    help: 'Rows of files that were set aside before the topic.',
  },
  'publisher.bytes': {
    kind: 'counter',
    unit: 'bytes',
    tags: [],
    help: 'Bytes of files of which the rows are committed.',
  },
  'publisher.messages': {
    kind: 'counter',
    unit: 'messages',
    tags: [],
    help: 'Messages committed to the topic.',
  },
  'publisher.steps': {
    kind: 'counter',
    unit: 'steps',
    tags: [],
    help: 'Stretches of files that were read, parsed and packed.',
  },
  'publisher.busy': {
    kind: 'counter',
    unit: 'seconds',
    tags: [],
    help: 'Time that these took, without the wait for credit or for the commit.',
  },
  'partition.messages': {
    kind: 'counter',
    unit: 'messages',
    tags: ['partition'],
    help: 'Messages read from the topic; after a restart those behind the last checkpoint again.',
  },
  'partition.rows.parsed': {
    kind: 'counter',
    unit: 'rows',
    tags: ['partition'],
    help: 'Rows parsed from these; after a restart those behind the last checkpoint again.',
  },
  'partition.rows.counted': {
    kind: 'counter',
    unit: 'rows',
    tags: ['partition'],
    help: 'Rows in the summaries of their regions, when the checkpoint is committed: each row once.',
  },
  'partition.rows.rejected': {
    kind: 'counter',
    unit: 'rows',
    tags: ['partition', 'reason'],
    help: 'Rows of the topic that were set aside, when the checkpoint is committed: each row once.',
  },
  'partition.slices': {
    kind: 'counter',
    unit: 'slices',
    tags: ['partition'],
    help: 'Slices of rows that were parsed in one go.',
  },
  'partition.busy': {
    kind: 'counter',
    unit: 'seconds',
    tags: ['partition'],
    help: 'Time that parsing took.',
  },
  'partition.checkpoints': {
    kind: 'counter',
    unit: 'checkpoints',
    tags: ['partition'],
    help: 'Checkpoints that were committed.',
  },
  'partition.checkpoint.bytes': {
    kind: 'counter',
    unit: 'bytes',
    tags: ['partition'],
    help: 'Bytes of summaries and rejected rows in them.',
  },
  'partition.checkpoint.size': {
    kind: 'gauge',
    unit: 'bytes',
    tags: ['partition'],
    help: 'The same of the last checkpoint alone.',
  },
  'partition.checkpoint.time': {
    kind: 'timing',
    unit: 'ms',
    tags: ['partition'],
    help: 'From the moment a checkpoint is due until it is committed: rows under way, snapshots, commit.',
  },
  'partition.lag': {
    kind: 'gauge',
    unit: 'messages',
    tags: ['partition'],
    help: 'Offsets between what the last checkpoint reflects and the end of the log.',
  },
  'partition.regions': {
    kind: 'gauge',
    unit: 'regions',
    tags: ['partition'],
    help: 'Regions that are at work.',
  },
  'region.messages': {
    kind: 'counter',
    unit: 'messages',
    tags: ['partition'],
    help: 'Ranges of rows that regions folded.',
  },
  'region.busy': {
    kind: 'counter',
    unit: 'seconds',
    tags: ['partition'],
    help: 'Time that folding took.',
  },
  'aggregator.models': {
    kind: 'counter',
    unit: 'models',
    tags: [],
    help: 'Models that this process served, whichever replica made them.',
  },
  'aggregator.busy': {
    kind: 'counter',
    unit: 'seconds',
    tags: [],
    help: 'Time from the begin of a model until it is served.',
  },
  'aggregator.model.time': {
    kind: 'timing',
    unit: 'ms',
    tags: [],
    help: 'The same of each model.',
  },
  'aggregator.events': {
    kind: 'counter',
    unit: 'events',
    tags: ['type'],
    help: 'What live models told: clusters born, split, died, merged or moved, k-changed, drift-raised, drift-cleared.',
  },
  'reporter.reports': {
    kind: 'counter',
    unit: 'reports',
    tags: ['kind'],
    help: 'Reports and copies (exports) that were written.',
  },
  'reporter.busy': {
    kind: 'counter',
    unit: 'seconds',
    tags: ['kind'],
    help: 'Time that writing them took.',
  },
  'model.weight': {
    kind: 'gauge',
    unit: 'rows',
    tags: [],
    help: 'Weight of all rows in the served model.',
  },
  'model.k': {
    kind: 'gauge',
    unit: 'clusters',
    tags: [],
    help: 'The k of the served model: asked for, or chosen.',
  },
  'model.clusters': {
    kind: 'gauge',
    unit: 'clusters',
    tags: [],
    help: 'Its clusters; fewer than k where there are fewer places.',
  },
  'model.cost': {
    kind: 'gauge',
    unit: 'chords',
    tags: [],
    help: 'Its cost: the sum over the rows of the squared chord to their center, in squared earth radii.',
  },
  'model.bound.width': {
    kind: 'gauge',
    unit: 'chords',
    tags: [],
    help: 'Upper less lower bound of the cost of the raw rows.',
  },
  'model.drift.alarm': {
    kind: 'gauge',
    unit: 'alarms',
    tags: [],
    help: '1 while the drift alarm is raised, else 0.',
  },
  'model.drift.ratio': {
    kind: 'gauge',
    unit: 'ratio',
    tags: [],
    help: 'Cost of the newest pane at the centers of all rows over that at those of the newest; missing without a verdict.',
  },
  'model.delay': {
    kind: 'timing',
    unit: 'ms',
    tags: [],
    help: 'End to end: from the last change of a file to its rows being in a served model. Of the first row of each transaction and partition.',
  },
  'cluster.weight': {
    kind: 'gauge',
    unit: 'rows',
    tags: ['rank'],
    help: 'Weight of the cluster of this rank, 1 the heaviest; of the first 50.',
  },
  'cluster.moved': {
    kind: 'gauge',
    unit: 'km',
    tags: ['rank'],
    help: 'How far its center is from the nearest one of the model served before.',
  },
  'connection.messages': {
    kind: 'counter',
    unit: 'messages',
    tags: ['connection'],
    help: 'What was sent over the connection.',
  },
  'connection.waits': {
    kind: 'counter',
    unit: 'waits',
    tags: ['connection'],
    help: 'Reservations that had to wait for credit.',
  },
  'connection.rows': {
    kind: 'gauge',
    unit: 'rows',
    tags: ['connection'],
    help: 'Depth: rows (of `files`: files) reserved and not yet released.',
  },
  'connection.bytes': {
    kind: 'gauge',
    unit: 'bytes',
    tags: ['connection'],
    help: 'Depth in bytes.',
  },
  'connection.waiting': {
    kind: 'gauge',
    unit: 'waits',
    tags: ['connection'],
    help: 'Reservations that wait now.',
  },
  'log.messages': {
    kind: 'gauge',
    unit: 'messages',
    tags: [],
    help: 'Messages of the embedded log that no checkpoint reflects. On Kafka 0: see partition.lag.',
  },
  'log.bytes': {
    kind: 'gauge',
    unit: 'bytes',
    tags: [],
    help: 'The same in bytes.',
  },
  'transaction.commits': {
    kind: 'counter',
    unit: 'transactions',
    tags: ['stage'],
    help: 'Transactions that were committed: by publisher, partition or aggregator.',
  },
  'transaction.aborts': {
    kind: 'counter',
    unit: 'transactions',
    tags: ['stage', 'reason'],
    help: 'Transactions that were not, or are not known to be: no-room, fenced, not-owner, unknown-outcome, other.',
  },
  'transaction.time': {
    kind: 'timing',
    unit: 'ms',
    tags: ['stage'],
    help: 'How long a commit took, until it is visible.',
  },
  'actor.restarts': {
    kind: 'counter',
    unit: 'restarts',
    tags: ['actor'],
    help: 'Restarts of actors, all partitions under one name, and all regions.',
  },
  'actor.escalations': {
    kind: 'counter',
    unit: 'failures',
    tags: ['actor'],
    help: 'Failures of actors that became those of their supervisor, or ended the process.',
  },
  'actor.mailbox': {
    kind: 'gauge',
    unit: 'messages',
    tags: ['actor'],
    help: 'Messages that wait in mailboxes and stashes.',
  },
  'actor.dead_letters': {
    kind: 'counter',
    unit: 'messages',
    tags: ['reason'],
    help: 'Messages that no handler saw.',
  },
  'health.ready': {
    kind: 'gauge',
    unit: '0 or 1',
    tags: [],
    help: 'Whether /readyz says so: joined, restored, nothing stuck, the broker answers, not ending.',
  },
  'health.stuck': {
    kind: 'counter',
    unit: 'restarts',
    tags: [],
    help: 'Partitions that were restarted because they were stuck.',
  },
  'stage.paused': {
    kind: 'gauge',
    unit: '0 or 1',
    tags: ['stage'],
    help: 'Whether the stage is paused.',
  },
  'memory.budget': {
    kind: 'gauge',
    unit: 'bytes',
    tags: [],
    help: 'Bytes of memory.budget that connections hold.',
  },
  'process.memory': {
    kind: 'gauge',
    unit: 'bytes',
    tags: ['kind'],
    help: 'Memory of the process: rss, heap (used), external.',
  },
  'process.cpu': {
    kind: 'counter',
    unit: 'seconds',
    tags: ['mode'],
    help: 'CPU time of the process: user, system.',
  },
  'process.event_loop.delay': {
    kind: 'gauge',
    unit: 'seconds',
    tags: ['stat'],
    help: 'How late timers fire, over the last half to whole minute: mean, p99, max.',
  },
  'statsd.errors': {
    kind: 'counter',
    unit: 'errors',
    tags: [],
    help: 'Datagrams, or writes to a stream, that did not reach the StatsD socket.',
  },
} as const satisfies Record<string, MetricSpec>;

type Catalogue = typeof CATALOGUE;

export type MetricName = keyof Catalogue;

export type NameOf<Kind extends MetricKind> = {
  [Name in MetricName]: Catalogue[Name]['kind'] extends Kind ? Name : never;
}[MetricName];

/** A value for each tag of the metric, and for no other. */
export type TagsOf<Name extends MetricName> = Readonly<Record<Catalogue[Name]['tags'][number], string>>;

/** The argument for tags: none where the metric has none. */
export type TagArguments<Name extends MetricName> = Catalogue[Name]['tags'] extends readonly []
  ? []
  : [tags: TagsOf<Name>];

export const METRIC_NAMES = Object.keys(CATALOGUE) as readonly MetricName[];

/** The facts of a metric, whichever it is. */
export function specOf(name: MetricName): MetricSpec {
  return CATALOGUE[name];
}
