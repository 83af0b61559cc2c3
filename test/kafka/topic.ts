/** Topics as others see them, by kafkajs: nothing here shares code with the program. */
import kafkajs from 'kafkajs';

export interface Seen {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | undefined;
  readonly value: string | null;
}

const IDLE_MS = 2_500;
const ARRIVES_WITHIN_MS = 45_000;

function client(brokers: readonly string[]): kafkajs.Kafka {
  return new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
}

export async function produce(
  brokers: readonly string[],
  topic: string,
  messages: readonly (kafkajs.Message & { readonly partition: number })[],
): Promise<void> {
  const producer = client(brokers).producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  try {
    await producer.send({ topic, messages: [...messages] });
  } finally {
    await producer.disconnect();
  }
}

/** All messages of a topic, at least `expected`, as a consumer with read_committed sees them. */
export async function consume(
  brokers: readonly string[],
  topic: string,
  expected: number,
): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  const consumer = client(brokers).consumer({
    groupId: `${topic}-seen-${String(process.pid)}`,
    maxWaitTimeInMs: 100,
  });
  const began = performance.now();
  let lastAt = began;
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ message, partition }) => {
        lastAt = performance.now();
        const { key, offset, value } = message;
        seen.push({
          partition,
          offset: Number(offset),
          key: key?.toString(),
          value: value === null ? null : value.toString(),
        });
        return Promise.resolve();
      },
    });
    while (performance.now() - lastAt < (seen.length >= expected ? IDLE_MS : ARRIVES_WITHIN_MS)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await consumer.disconnect();
  }
  return seen;
}
