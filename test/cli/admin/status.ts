import type { ResultOf } from '../../../src/admin/commands.ts';

export const CONNECTION = {
  name: 'partition-0=>regions',
  depth: { rows: 16_384, bytes: 3 * 2 ** 20 },
  thresholds: { rows: 262_144, bytes: 32 * 2 ** 20 },
  queued: 2,
  paused: true,
  waits: 7,
  waiting: 1,
};

export const STATUS: ResultOf<'status'> = {
  replica: 'geoflock-0',
  version: '0.1.0',
  startedAt: '2026-01-01T00:00:00.000Z',
  state: 'running',
  stateFolder: '/state',
  health: { status: 'degraded', live: true, ready: false, reasons: ['publisher is paused'] },
  stages: [
    {
      stage: 'publisher',
      paused: true,
      actors: 1,
      running: 1,
      restarts: 2,
      mailbox: 0,
      lastError: 'disk full',
      bulletins: [
        { at: '2026-01-01T00:00:02.000Z', level: 'error', message: 'disk full', count: 3 },
        { at: '2026-01-01T00:00:01.000Z', level: 'warn', message: 'no room', count: 1 },
      ],
    },
    {
      stage: 'regions',
      paused: false,
      actors: 1_200,
      running: 1_199,
      restarts: 0,
      mailbox: 12,
      lastError: null,
      bulletins: [],
    },
  ],
  connections: [CONNECTION],
  partitions: [
    { partition: 0, owned: true, nextOffset: 5, end: 1_005, lag: 1_000 },
    { partition: 1, owned: false, nextOffset: 0, end: 9, lag: 9 },
  ],
  totals: {
    files: { done: 3, failed: 1 },
    rows: { read: 1_234_567, counted: 1_234_560, rejected: 7 },
    rejectedByReason: { future: 7 },
  },
  model: {
    k: 5,
    weight: 1_234_560,
    cost: 123.456789,
    publishedAt: '2026-01-01T00:00:03.000Z',
    drift: true,
  },
  settings: { k: '5' },
};
