/**
 * A process for the tests to stop: a member of a group that owns partition 0 of a log.
 *
 *     child.ts <brokers> <port of its proxy> <topic and group prefix>
 *
 * It commits one row by the writer `rows-0` and one by `lonely`, then prints `ready`. At a line on its input
 * it commits another by each, at once, and prints how each ended; then it tries to open `rows-0` again by the
 * membership it had, prints how that ended, and lives on until its input ends.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Membership, Writer } from '../../../src/broker/broker.ts';
import { record } from '../helpers.ts';
import { openKafkaAt } from './fixtures.ts';
import { socketFactoryThrough } from './proxy.ts';

const [brokers = '', proxyPort = '', prefix = ''] = process.argv.slice(2);
const log = `${prefix}log`;
const table = `${prefix}table`;

function print(line: string): void {
  writeSync(1, `${line}\n`);
}

async function outcome(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'done',
    (error: unknown) => (error instanceof Error ? error.name : String(error)),
  );
}

const broker = await openKafkaAt(brokers.split(','), `${prefix}group`, {
  socketFactory: socketFactoryThrough(Number(proxyPort)),
});
await broker.declareTopics([
  { name: log, kind: 'log', partitions: 3 },
  { name: table, kind: 'table', partitions: 2 },
]);

const owned = new Promise<Membership>((resolve) => {
  void broker.join(`${prefix}g`, log, {
    assigned: (_, membership) => {
      if (membership.owned.includes(0)) {
        resolve(membership);
      }
      return Promise.resolve();
    },
    revoked: (partitions) => {
      print(`revoked ${partitions.join()}`);
      return Promise.resolve();
    },
    failed: (error) => {
      print(`failed ${error.message}`);
    },
  });
});
const membership = await owned;

/** Row and progress of partition 0, or of the partition that nobody else takes over. */
async function commit(writer: Writer, value: string, partition: number, next: number): Promise<void> {
  const transaction = writer.begin();
  transaction.append(log, partition, [record(value)]);
  transaction.put(table, 0, `next ${String(partition)}`, Buffer.from(String(next)));
  await transaction.commit();
}

const claim = { membership, partition: 0 };
const rows = await broker.openWriter('rows-0', claim);
const lonely = await broker.openWriter('lonely');
await commit(rows, 'row 0', 0, 1);
await commit(lonely, 'row 0', 2, 1);
print('ready');

const input = createInterface({ input: process.stdin });
input.once('line', () => {
  const ends = [
    outcome(commit(rows, 'row 1', 0, 2)).then((end) => {
      print(`rows-0 ${end}`);
    }),
    outcome(commit(lonely, 'stale', 2, 2)).then((end) => {
      print(`lonely ${end}`);
    }),
  ];
  void Promise.all(ends).then(async () => {
    print(`again ${await outcome(broker.openWriter('rows-0', claim))}`);
  });
});
input.once('close', () => {
  process.exit(0);
});
