import kafkajs from 'kafkajs';
import { type TopicSettings, topicNames, topicSpecs } from '../../src/actors/topics.ts';
import { readTotals, type Totals } from '../../src/actors/totals.ts';
import type { Broker } from '../../src/broker/broker.ts';
import { openKafkaBroker } from '../../src/broker/kafka/broker.ts';
import { SUMMARY_PREFIX } from '../../src/actors/topics.ts';
import { systemClock } from '../../src/system/clock.ts';
import { silentLogger } from '../../src/system/logger.ts';
import { within } from '../support/within.ts';

const UNLIMITED = { bytes: Infinity, ageMs: Infinity };
const CREATED_WITHIN_MS = 60_000;
/** The replicas' start, and as long again for whoever reads what they made. */
export const OPENED_WITHIN_MS = 120_000;
/** Far above what a reading rightly waits for: a broker that is away, a transaction that was left open. */
export const READ_WITHIN_MS = 180_000;
export const CLOSED_WITHIN_MS = 20_000;

/** Reads what a Geoflock has committed, beside it: member of no group, writer of nothing. */
export class Observer {
  readonly #broker: Broker;
  readonly #settings: TopicSettings;
  /** The last reading, and the one under way. */
  last: Totals | undefined;
  #reading: Promise<Totals> | undefined;
  readonly #refreshing = new Set<string>();

  /** Waits until the topics are there; does not make them, because who makes them decides their form. */
  static async open(brokers: readonly string[], settings: TopicSettings): Promise<Observer> {
    return await within(OPENED_WITHIN_MS, 'the opening of the observer', Observer.#open(brokers, settings));
  }

  static async #open(brokers: readonly string[], settings: TopicSettings): Promise<Observer> {
    const specs = topicSpecs(topicNames(settings), settings.partitions, {
      rows: UNLIMITED,
      rejected: UNLIMITED,
    });
    await created(
      brokers,
      specs.map(({ name }) => name),
    );
    const broker = await openKafkaBroker({
      brokers,
      clientId: 'chaos-observer',
      group: `${settings.prefix}observer`,
      compression: 'none',
      replication: 'auto',
      sessionTimeoutMs: 10_000,
      transactionTimeoutMs: 10_000,
      waitForBrokerMs: 30_000,
      fingerprint: 'observer',
      clock: systemClock,
      log: silentLogger,
    });
    await broker.declareTopics(specs);
    return new Observer(broker, settings);
  }

  private constructor(broker: Broker, settings: TopicSettings) {
    this.#broker = broker;
    this.#settings = settings;
  }

  /** What is committed at some time after the call. */
  async read(): Promise<Totals> {
    return await within(READ_WITHIN_MS, () => `the observer's reading${this.#waitingFor()}`, this.#read());
  }

  async #read(): Promise<Totals> {
    // One that is under way may have begun before.
    await this.#reading?.catch(() => undefined);
    this.#reading ??= readTotals(this.#noting(), topicNames(this.#settings), this.#settings.partitions);
    const reading = this.#reading;
    try {
      this.last = await reading;
      return this.last;
    } finally {
      if (this.#reading === reading) {
        this.#reading = undefined;
      }
    }
  }

  /** All entries of the region summaries, `partition/key` to hexadecimal bytes. */
  async summaries(): Promise<ReadonlyMap<string, string>> {
    return await within(READ_WITHIN_MS, "the observer's reading of the summaries", this.#summaries());
  }

  async #summaries(): Promise<ReadonlyMap<string, string>> {
    const { regions } = topicNames(this.#settings);
    const found = new Map<string, string>();
    for (let partition = 0; partition < this.#settings.partitions; partition++) {
      await this.#broker.refreshTable(regions, partition);
      for await (const { key, value } of this.#broker.tableEntries(regions, partition, SUMMARY_PREFIX)) {
        found.set(`${String(partition)}/${key}`, Buffer.from(value).toString('hex'));
      }
    }
    return found;
  }

  /** The broker, with a note of the tables whose refresh is under way. */
  #noting(): Broker {
    return new Proxy(this.#broker, {
      get: (target, property) => {
        if (property === 'refreshTable') {
          return async (table: string, partition: number): Promise<void> => {
            const name = `${table}-${String(partition)}`;
            this.#refreshing.add(name);
            await target.refreshTable(table, partition);
            this.#refreshing.delete(name);
          };
        }
        const value: unknown = Reflect.get(target, property, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  #waitingFor(): string {
    return this.#refreshing.size === 0 ? '' : ` of ${[...this.#refreshing].join(', ')}`;
  }

  async close(): Promise<void> {
    await within(CLOSED_WITHIN_MS, 'the closing of the observer', this.#broker.close());
  }
}

async function created(brokers: readonly string[], names: readonly string[]): Promise<void> {
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin();
  const deadline = performance.now() + CREATED_WITHIN_MS;
  await admin.connect();
  try {
    for (;;) {
      const there = new Set(await admin.listTopics());
      const missing = names.filter((name) => !there.has(name));
      if (missing.length === 0) {
        return;
      }
      if (performance.now() > deadline) {
        throw new Error(`the replicas did not make the topics ${missing.join(', ')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  } finally {
    await admin.disconnect();
  }
}
