/**
 * A member of a group in a process of its own, for tests that stop it: `brokers group topic session`.
 * Tells line by line what it is told, and answers each line of its input with whether it may still act as
 * the owner of partition 0.
 */
import { createInterface } from 'node:readline';
import { joinGroup } from '../../../src/broker/kafka/group.ts';
import { KafkaConnections } from '../../../src/broker/kafka/kafkajs.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { silentLogger } from '../../../src/system/logger.ts';

const [brokers = '', groupId = '', topic = '', session = ''] = process.argv.slice(2);

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

const membership = await joinGroup({
  connections: new KafkaConnections({
    brokers: brokers.split(','),
    clientId: 'member-process',
    log: silentLogger,
  }),
  groupId,
  topic,
  partitions: 2,
  sessionTimeoutMs: Number(session),
  rebalanceTimeoutMs: 60_000,
  fingerprint: 'same',
  clock: systemClock,
  log: silentLogger,
  listener: {
    assigned: (partitions) => {
      tell(`assigned ${partitions.join()}`);
      return Promise.resolve();
    },
    revoked: (partitions) => {
      tell(`revoked ${partitions.join()}`);
      return Promise.resolve();
    },
    failed: (error) => {
      tell(`failed ${error.message}`);
    },
  },
});

for await (const line of createInterface({ input: process.stdin })) {
  const confirmed = await membership.confirm(0).then(
    () => 'owner',
    (error: unknown) => (error instanceof Error ? error.name : 'unknown'),
  );
  tell(`${line} ${confirmed}`);
}
await membership.leave();
