import type { ResultOf } from '../../admin/commands.ts';
import { CommandError } from '../../admin/outcome.ts';
import type { LogRecord } from '../../broker/broker.ts';
import { readToEnd } from '../../broker/read-to-end.ts';
import { readTotals } from '../totals.ts';
import { unlessAborted } from '../unless-aborted.ts';
import type { Call, CommandPorts } from './command-ports.ts';
import { ownedPartitions } from './stage-actors.ts';

/** The log between publisher and partitions, told like a connection: what no checkpoint reflects waits in it. */
export const LOG = 'log';

type Told = ResultOf<'connections.list'>['connections'][number];

/** How far a partition of the log is reflected in checkpoints. */
export interface LogPosition {
  readonly partition: number;
  readonly nextOffset: number;
  readonly end: number;
  /** Records behind `nextOffset`. */
  readonly lag: number;
}

export async function logPositions(
  { broker, topics }: Pick<CommandPorts, 'broker' | 'topics'>,
  nextOffsets: readonly number[],
): Promise<readonly LogPosition[]> {
  return await Promise.all(
    nextOffsets.map(async (nextOffset, partition) => {
      const { end } = await broker.offsets(topics.rows, partition);
      return { partition, nextOffset, end, lag: Math.max(0, end - nextOffset) };
    }),
  );
}

/** The log as it is now. */
export async function lookAtLog(ports: CommandPorts): Promise<Told> {
  const { nextOffsets } = await readTotals(ports.broker, ports.topics, ports.partitions);
  return toldLog(ports, await logPositions(ports, nextOffsets));
}

/** Rows are told as records, which may hold many lines. */
export function toldLog(
  { broker, settings, stages, topics }: CommandPorts,
  positions: readonly LogPosition[],
): Told {
  const unconsumed = broker.unconsumed(topics.rows);
  const records = positions.reduce((sum, { lag }) => sum + lag, 0);
  const bounded = broker.kind === 'embedded';
  return {
    name: LOG,
    depth: { rows: records, bytes: unconsumed.bytes },
    thresholds: { rows: null, bytes: bounded ? settings.configuration.connections.log.bytes : null },
    queued: records,
    paused: stages.isPaused('partitions'),
    waits: 0,
    waiting: 0,
  };
}

/** The first records that no checkpoint reflects, partition by partition. */
export async function peekLog(
  ports: CommandPorts,
  limit: number,
  { context, signal }: Pick<Call, 'context' | 'signal'>,
): Promise<ResultOf<'connections.peek'>['items']> {
  const { broker, partitions, topics } = ports;
  const { nextOffsets } = await readTotals(broker, topics, partitions);
  const items: ResultOf<'connections.peek'>['items'] = [];
  for (let partition = 0; partition < partitions && items.length < limit; partition++) {
    const { end } = await broker.offsets(topics.rows, partition);
    const reader = await broker.openReader(topics.rows, partition, nextOffsets[partition] ?? 0);
    try {
      for await (const records of readToEnd(reader, end, context.clock, signal)) {
        items.push(...records.slice(0, limit - items.length).map((record) => toldRecord(partition, record)));
        if (items.length >= limit) {
          break;
        }
      }
    } finally {
      await reader.close();
    }
  }
  return items;
}

const LINE_FEED = 10;

function toldRecord(
  partition: number,
  { key, offset, value }: LogRecord,
): ResultOf<'connections.peek'>['items'][number] {
  const bytes = value ?? new Uint8Array(0);
  const ends = bytes.reduce((sum, byte) => sum + Number(byte === LINE_FEED), 0);
  const rows = bytes.length === 0 ? 0 : ends + Number(bytes.at(-1) !== LINE_FEED);
  const region = key === null ? '' : ` ${key}`;
  return { label: `${String(partition)}@${String(offset)}${region}`, rows, bytes: bytes.length };
}

/**
 * Sets aside what is in this replica's partitions of the log now. Waits until that is committed, or while the
 * partitions are paused until all else is: then it is done when they go on.
 */
export async function emptyLog(
  ports: CommandPorts,
  discard: boolean,
  { context, signal }: Call,
): Promise<ResultOf<'connections.empty'>> {
  const { broker, partitions, partitionsActor, stages, topics } = ports;
  const { queued: items } = await lookAtLog(ports);
  if (items === 0) {
    return { connection: LOG, items, rows: 0, rejected: 0 };
  }
  if (!discard) {
    throw new CommandError(
      'would-lose-rows',
      `${String(items)} records wait in the log: with --discard their rows become rejected rows with the reason ` +
        'discarded, and can be redriven',
    );
  }
  if (stages.isPaused('regions')) {
    throw new CommandError('paused', 'what is on its way to the regions comes before: resume them first');
  }
  const reply = (tell: (reply: () => void) => void): Promise<void> =>
    unlessAborted(new Promise(tell), signal);
  if (stages.isPaused('partitions')) {
    await reply((written) => {
      context.tell(partitionsActor, { type: 'checkpoint', reply: written });
    });
    const { items: records, rows } = await countWaiting(ports, { context, signal });
    await markAll(ports);
    return { connection: LOG, items: records, rows, rejected: rows };
  }
  const before = await readTotals(broker, topics, partitions);
  await markAll(ports);
  await reply((done) => {
    context.tell(partitionsActor, { type: 'drain', scope: 'own', reply: done });
  });
  const after = await readTotals(broker, topics, partitions);
  const rejected = discarded(after) - discarded(before);
  return { connection: LOG, items, rows: rejected, rejected };
}

async function markAll({ broker, discards, stats, system, topics }: CommandPorts): Promise<void> {
  for (const partition of ownedPartitions(system.inspect())) {
    const { end } = await broker.offsets(topics.rows, partition);
    discards.discardAll(partition, stats.partitions[partition]?.nextOffset ?? 0, end);
  }
}

/** Records that wait in this replica's partitions, and their rows. */
async function countWaiting(
  { broker, stats, system, topics }: CommandPorts,
  { context, signal }: Pick<Call, 'context' | 'signal'>,
): Promise<{ readonly items: number; readonly rows: number }> {
  const found = { items: 0, rows: 0 };
  for (const partition of ownedPartitions(system.inspect())) {
    const { end } = await broker.offsets(topics.rows, partition);
    const from = stats.partitions[partition]?.nextOffset ?? 0;
    const reader = await broker.openReader(topics.rows, partition, from);
    try {
      for await (const records of readToEnd(reader, end, context.clock, signal)) {
        found.items += records.length;
        found.rows += records.reduce((sum, record) => sum + toldRecord(partition, record).rows, 0);
      }
    } finally {
      await reader.close();
    }
  }
  return found;
}

function discarded({
  rejectedByReason,
}: {
  readonly rejectedByReason: Readonly<Record<string, number>>;
}): number {
  return rejectedByReason['discarded'] ?? 0;
}
