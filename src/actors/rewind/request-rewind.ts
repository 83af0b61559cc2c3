import type { Broker, Transaction } from '../../broker/broker.ts';
import type { Clock, Random } from '../../system/clock.ts';
import { decodeProgress } from '../partition/progress.ts';
import { EPOCH_KEY, PROGRESS_KEY, type TopicNames } from '../topics.ts';
import { withContestedWriter } from '../writer-race.ts';
import { currentEpoch, encodeEpoch, SETTINGS_PARTITION } from './epoch.ts';

/** Where counting is to begin again, in every partition. */
export type RewindTo =
  /** `earliest`: with the first row that is there. */
  | { readonly kind: 'offset'; readonly offset: number | 'earliest' }
  /** With the first row that arrived then or later; ms since the epoch. */
  | { readonly kind: 'time'; readonly time: number };

export interface RewindPorts {
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly partitions: number;
  readonly clock: Clock;
  readonly random: Random;
}

/** What a rewind means for one partition. */
export interface RewindOfPartition {
  readonly partition: number;
  /** Next offset as committed now. */
  readonly from: number;
  /** Where counting begins again; never behind `from`. */
  readonly to: number;
}

export interface RequestedRewind {
  readonly epoch: number;
  readonly partitions: readonly RewindOfPartition[];
}

/** What was asked for cannot be had; the message says why and what can. */
export class RewindRefusedError extends Error {
  override readonly name = 'RewindRefusedError';
}

/** Under it whoever asks for anything writes the settings table. */
export const SETTINGS_WRITER = 'settings-0';

/**
 * Asks for a rewind: all summaries are dropped, and every partition is counted anew from its target. It
 * is durable when this resolves; each partition's owner applies it by itself, now or when there is one.
 * @throws RewindRefusedError
 */
export async function requestRewind(ports: RewindPorts, to: RewindTo): Promise<RequestedRewind> {
  return await withContestedWriter(ports.broker, SETTINGS_WRITER, ports, async (writer) => {
    const transaction = writer.begin();
    const { committed, requested } = await putRewind(ports, to, transaction).catch(async (error: unknown) => {
      await transaction.abort();
      throw error;
    });
    await (await transaction.commit()).flushed;
    await committed();
    return requested;
  });
}

/**
 * Puts a rewind into a transaction of the settings' writer.
 * @returns what was asked for, and what is to be done once it is committed.
 * @throws RewindRefusedError
 */
export async function putRewind(
  ports: RewindPorts,
  to: RewindTo,
  transaction: Transaction,
): Promise<{ readonly requested: RequestedRewind; readonly committed: () => Promise<void> }> {
  const { broker, clock, topics } = ports;
  const { number } = await currentEpoch(broker, topics.settings);
  const partitions = await targetsOf(ports, to);
  const epoch = {
    number: number + 1,
    targets: partitions.map((one) => one.to),
    requestedAt: clock.now(),
    asked: inWords(to),
  };
  transaction.put(topics.settings, SETTINGS_PARTITION, EPOCH_KEY, encodeEpoch(epoch));
  return {
    requested: { epoch: epoch.number, partitions },
    committed: async () => {
      for (const { partition, to: target } of partitions) {
        // Retention must not take what is to be read again.
        await broker.consumeAgainFrom(topics.rows, partition, target);
      }
    },
  };
}

async function targetsOf(ports: RewindPorts, to: RewindTo): Promise<readonly RewindOfPartition[]> {
  const { broker, partitions, topics } = ports;
  const targets: RewindOfPartition[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    await broker.refreshTable(topics.regions, partition);
    const stored = await broker.tableGet(topics.regions, partition, PROGRESS_KEY);
    const from = stored === undefined ? 0 : decodeProgress(stored).nextOffset;
    const wanted = await targetOf(ports, partition, to);
    targets.push({ partition, from, to: Math.min(wanted ?? from, from) });
  }
  if (to.kind === 'offset' && targets.every(({ from }) => to.offset !== 'earliest' && to.offset > from)) {
    const furthest = Math.max(...targets.map(({ from }) => from));
    throw new RewindRefusedError(
      `no partition of ${topics.rows} has been counted up to offset ${String(to.offset)}, the furthest up to ` +
        `${String(furthest)}: a rewind goes back, name an offset below that`,
    );
  }
  return targets;
}

/** Undefined: everything there is lies before it. */
async function targetOf(
  { broker, topics }: RewindPorts,
  partition: number,
  to: RewindTo,
): Promise<number | undefined> {
  const { rows } = topics;
  const { end, first } = await broker.offsets(rows, partition);
  if (to.kind === 'offset') {
    if (to.offset === 'earliest') {
      return first;
    }
    if (to.offset < first && end > 0) {
      throw beforeTheStart(rows, partition, first, `offset ${String(to.offset)}`);
    }
    return to.offset;
  }
  const found = await broker.offsetAt(rows, partition, to.time);
  // The first row that is left is late enough: those that retention removed may have been so too.
  if (
    first > 0 &&
    (found === undefined ? first === end : found === (await broker.offsetAt(rows, partition, 0)))
  ) {
    throw beforeTheStart(rows, partition, first, inWords(to));
  }
  return found;
}

function beforeTheStart(topic: string, partition: number, first: number, asked: string): RewindRefusedError {
  return new RewindRefusedError(
    `partition ${String(partition)} of ${topic} begins at offset ${String(first)}, which is not before ${asked}: ` +
      'what retention has removed cannot be counted again; --to-offset earliest takes what is there',
  );
}

function inWords(to: RewindTo): string {
  return to.kind === 'time' ? new Date(to.time).toISOString() : `offset ${String(to.offset)}`;
}
