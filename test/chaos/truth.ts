/** What is true, by readers that share no code with Geoflock: files by line feeds, the topic by kafkajs. */
import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import kafkajs from 'kafkajs';

const LINE_FEED = 10;
const HASH_BYTES = 6;
/** A transaction that was left open keeps readers waiting, until the brokers abort it. */
const READ_WITHIN_MS = 180_000;

/** How often each line occurs, by hash. */
export class Lines {
  readonly #counts = new Map<number, number>();
  count = 0;

  add(line: Uint8Array): void {
    const hash = createHash('md5').update(line).digest().readUIntBE(0, HASH_BYTES);
    this.#counts.set(hash, (this.#counts.get(hash) ?? 0) + 1);
    this.count++;
  }

  /** Of the other's lines: how many are not here, and how many are here that the other does not have. */
  compare(should: Lines): { readonly missing: number; readonly surplus: number } {
    let missing = 0;
    let surplus = 0;
    for (const [hash, expected] of should.#counts) {
      missing += Math.max(0, expected - (this.#counts.get(hash) ?? 0));
    }
    for (const [hash, found] of this.#counts) {
      surplus += Math.max(0, found - (should.#counts.get(hash) ?? 0));
    }
    return { missing, surplus };
  }
}

/** The data lines of all files of a folder, each of which has a header line. */
export function linesOfFiles(folder: string): Lines {
  const lines = new Lines();
  for (const name of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, name));
    addLines(lines, bytes.subarray(bytes.indexOf(LINE_FEED) + 1));
  }
  return lines;
}

/**
 * The lines of all messages of a topic that a consumer with read_committed sees. It is read up to a message
 * of its own at the end of each partition, so nobody else may read it afterwards.
 */
export async function linesOfTopic(
  brokers: readonly string[],
  topic: string,
  partitions: number,
): Promise<Lines> {
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
  const end = randomUUID();
  await markEnds(kafka, topic, partitions, end);
  const lines = new Lines();
  const consumer = kafka.consumer({ groupId: `${topic}-truth`, readUncommitted: false });
  const ended = new Set<number>();
  await consumer.connect();
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`${topic}: ${String(ended.size)} of ${String(partitions)} partitions were read`));
      }, READ_WITHIN_MS);
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        reject(payload.error);
      });
      const read = async (): Promise<void> => {
        await consumer.subscribe({ topics: [topic], fromBeginning: true });
        await consumer.run({
          autoCommit: false,
          eachBatch: ({ batch }) => {
            for (const { key, value } of batch.messages) {
              if (key?.toString() === end) {
                ended.add(batch.partition);
              } else {
                addLines(lines, value ?? Buffer.alloc(0));
              }
            }
            if (ended.size === partitions) {
              clearTimeout(timer);
              resolve();
            }
            return Promise.resolve();
          },
        });
      };
      read().catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return lines;
}

async function markEnds(kafka: kafkajs.Kafka, topic: string, partitions: number, key: string): Promise<void> {
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  try {
    const messages = Array.from({ length: partitions }, (_, partition) => ({ partition, key, value: '' }));
    await producer.send({ topic, messages });
  } finally {
    await producer.disconnect();
  }
}

/** A last line without a line feed is a line too. */
function addLines(lines: Lines, bytes: Uint8Array): void {
  for (let from = 0; from < bytes.length; ) {
    const feed = bytes.indexOf(LINE_FEED, from);
    const to = feed < 0 ? bytes.length : feed;
    lines.add(bytes.subarray(from, to));
    from = to + 1;
  }
}
