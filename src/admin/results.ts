import { z } from 'zod';
import { STAGES } from './stages.ts';

/** What the commands answer. Times are ISO 8601 in UTC, counts are rows unless they say otherwise. */

const stage = z.enum(STAGES);
const time = z.iso.datetime();
const count = z.number().int().min(0);
const rows = z.object({ read: count, counted: count, rejected: count });
const cost = z.object({ rows: count, bytes: count });

export const stageState = z.object({ stage, paused: z.boolean() });

const connection = z.object({
  name: z.string(),
  depth: cost.describe('reserved and not yet released'),
  thresholds: z
    .object({ rows: count.nullable(), bytes: count.nullable() })
    .describe('null: it is not bounded by Geoflock'),
  queued: count.describe('items that wait because it is paused'),
  paused: z.boolean(),
  waits: count.describe('reservations that had to wait so far'),
  waiting: count.describe('reservations that wait now'),
});

export const connections = z.object({ connections: z.array(connection) });

const bulletin = z.object({
  at: time,
  level: z.enum(['warn', 'error']),
  message: z.string(),
  count: count.describe('how often in a row'),
});

export const status = z.object({
  replica: z.string(),
  version: z.string(),
  startedAt: time,
  state: z.enum(['starting', 'running', 'draining', 'ending']),
  stateFolder: z.string().nullable().describe('absolute path of the log and the tables; null on Kafka'),
  health: z.object({
    status: z.enum(['ok', 'degraded', 'failing']),
    live: z.boolean(),
    ready: z.boolean(),
    reasons: z.array(z.string()),
  }),
  stages: z.array(
    z.object({
      stage,
      paused: z.boolean(),
      actors: count,
      running: count.describe('of its actors'),
      restarts: count,
      mailbox: count.describe('messages that wait'),
      lastError: z.string().nullable(),
      bulletins: z.array(bulletin).describe('the last warnings and errors, the newest first'),
    }),
  ),
  connections: z.array(connection),
  partitions: z.array(
    z.object({
      partition: count,
      owned: z.boolean().describe('by this replica'),
      nextOffset: count,
      end: count,
      lag: count.describe('records of the log behind nextOffset'),
    }),
  ),
  totals: z.object({
    files: z.object({ done: count, failed: count }),
    rows,
    rejectedByReason: z.record(z.string(), count),
  }),
  model: z
    .object({
      k: count,
      weight: z.number(),
      cost: z.number().describe('squared chords on the unit sphere, weighted'),
      costBounds: z.object({ lower: z.number(), upper: z.number() }).optional(),
      publishedAt: time,
      drift: z.boolean().nullable(),
    })
    .nullable(),
  settings: z.record(z.string(), z.string()).describe('what was set while it runs'),
});

export const topology = z.object({
  replica: z.string(),
  actors: z.array(
    z.object({
      path: z.string(),
      stage: stage.nullable(),
      state: z.string(),
      incarnation: count,
      restarts: count,
      mailbox: count,
      lastError: z.string().nullable(),
    }),
  ),
  links: z.array(
    z.object({ from: z.string(), to: z.string(), by: z.string().describe('connection, topic or table') }),
  ),
  deadLetters: count,
});

export const ranOnce = z.object({
  stage,
  units: count.describe('units of work that were let through'),
  ended: z.boolean().describe('false: there was nothing to do yet; what comes next is let through'),
});

export const restarted = z.object({
  actors: z.array(z.string()).describe('paths of those that were started anew'),
});

export const queue = z.object({
  connection,
  items: z.array(z.object({ label: z.string(), rows: count, bytes: count })),
});

export const emptied = z.object({
  connection: z.string(),
  items: count,
  rows: count,
  rejected: count.describe('rows that were set aside as rejected'),
});

export const drained = z.object({ rows, model: z.object({ k: count, cost: z.number() }) });

export const checkpointed = z.object({
  nextOffsets: z.record(z.string(), count).describe('by partition of this replica'),
});

export const setting = z.object({
  key: z.string(),
  value: z.string().describe('the value in use from now on'),
  source: z.enum(['configuration', 'run time']),
  takesEffect: z.string(),
});

export const settings = z.object({ settings: z.array(setting) });

export const predictions = z.object({
  model: count.describe('number of the model'),
  predictions: z.array(
    z.object({
      cluster: count.describe('its id'),
      longitude: z.number().describe('of the cluster, degrees east'),
      latitude: z.number().describe('degrees north'),
      place: z.string().nullable(),
      distanceKm: z.number().describe('to where the cluster is'),
      marginKm: z.number().nullable().describe('how much farther the second nearest is'),
    }),
  ),
});

const modelInShort = z.object({
  model: count.describe('its number: the offset on the topic of models'),
  kind: z.enum(['live', 'canonical']),
  publishedAt: time,
  k: count,
  weight: z.number(),
  cost: z.number(),
});

const record = z.record(z.string(), z.unknown());

/** What a line tells of a model: all but its clusters' positions. */
const listedModel = modelInShort.extend({
  epoch: count,
  nextOffsets: z.array(count),
  lineage: record.nullable().describe('where it comes from'),
  costBounds: z.object({ lower: z.number(), upper: z.number() }),
  time: record.optional(),
  drift: record.optional(),
  events: z.array(record).describe('what has changed since the model before'),
  clusters: z.array(z.object({ id: count, place: record.nullable() })).describe('the heaviest first'),
});

export const models = z.object({ models: z.array(listedModel) });

export const model = modelInShort.extend({
  detail: record.describe('as in model.json'),
  nextOffsets: z.array(count),
  epoch: count,
  lineage: record.nullable(),
});

export const rejectedRow = z.object({
  id: z.string(),
  reason: z.string(),
  message: z.string(),
  stage: z.string(),
  file: z.object({ id: z.string(), path: z.string().nullable(), line: count, byte: count }).nullable(),
  record: z.object({ topic: z.string(), partition: count, offset: count, line: count }).nullable(),
  row: z.object({ encoding: z.enum(['utf8', 'base64']), text: z.string(), bytes: count }),
  rejectedAt: time,
  redriven: z.boolean(),
});

export const rejectedRows = z.object({
  found: count.describe('that match, redriven or not, listed or not'),
  redriven: count.describe('of these'),
  rows: z.array(rejectedRow),
});

export const redriven = z.object({
  redriven: count,
  already: count,
  stillRejectedRows: count,
  stillRejected: z.array(z.object({ id: z.string(), reason: z.string(), message: z.string() })),
  missing: z.array(z.string()).describe('ids of which no row is kept'),
});

const fileInShort = z.object({
  path: z.string(),
  id: z.string(),
  source: z.string(),
  state: z.string(),
  rows: z.object({ read: count, accepted: count, rejected: count }),
  bytes: z.object({ read: count, size: count }),
  claimedAt: time,
  changedAt: time,
  by: z.string().nullable().describe('the replica that wrote this last'),
  problem: z.string().nullable(),
});

export const files = z.object({ found: count, files: z.array(fileInShort) });

export const file = fileInShort.extend({
  offsets: z
    .array(
      z.object({
        partition: count,
        first: count,
        last: count,
        rows: count,
        done: count.describe('of these rows, those that are counted or rejected'),
      }),
    )
    .describe('of its rows on the log, as far as they are kept'),
});

export const retried = z.object({ files: z.array(z.string()) });

export const rewound = z.object({
  epoch: count,
  partitions: z.array(z.object({ partition: count, from: count, to: count })),
});

export const ending = z.object({ replica: z.string() });
