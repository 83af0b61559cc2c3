import type { Broker, TopicSpec } from '../../../src/broker/broker.ts';

/** One place where a broker keeps its data, for one test. */
export interface BrokerFixture {
  /** What the suite calls `name`, as it is called in this place: places may share a cluster. */
  named(name: string): string;
  /** Opens a broker on the place; the suite closes it. */
  open(): Promise<Broker>;
  /** Opens one more beside it, as another process would; undefined where one process owns the place. */
  openBeside?(): Promise<Broker>;
  /** Lets records of so many bytes into a topic that exists, where a limit is set for it. */
  allowRecordsOf?(topic: string, bytes: number): Promise<void>;
  /** Removes the place. */
  dispose(): Promise<void>;
}

/** What adapters may differ in. */
export interface Traits {
  /** The unconsumed part of a log is counted, and kept whatever the retention says. */
  readonly keepsUnconsumed: boolean;
}

/** The place of the present test, with a log of three partitions and a table of two. */
export class Scene {
  readonly #fixtureOf: () => Promise<BrokerFixture>;
  #fixture: BrokerFixture | undefined;
  #opened: Broker[] = [];

  constructor(fixtureOf: () => Promise<BrokerFixture>) {
    this.#fixtureOf = fixtureOf;
  }

  async begin(): Promise<void> {
    this.#fixture = await this.#fixtureOf();
    this.#opened = [await this.#fixture.open()];
    await this.broker.declareTopics(this.topics);
  }

  async end(): Promise<void> {
    await Promise.all(this.#opened.map((broker) => broker.close()));
    await this.#fixture?.dispose();
    this.#fixture = undefined;
    this.#opened = [];
  }

  get fixture(): BrokerFixture {
    if (this.#fixture === undefined) {
      throw new Error('the scene is for tests and hooks');
    }
    return this.#fixture;
  }

  get broker(): Broker {
    const [broker] = this.#opened;
    if (broker === undefined) {
      throw new Error('the scene is for tests and hooks');
    }
    return broker;
  }

  get log(): string {
    return this.fixture.named('log');
  }

  get table(): string {
    return this.fixture.named('table');
  }

  get topics(): readonly [log: TopicSpec, table: TopicSpec] {
    return [
      { name: this.log, kind: 'log', partitions: 3 },
      { name: this.table, kind: 'table', partitions: 2 },
    ];
  }

  /** Another broker on the same data: of another process, or where that cannot be, the same. */
  async beside(): Promise<Broker> {
    const { fixture } = this;
    if (fixture.openBeside === undefined) {
      return this.broker;
    }
    const broker = await fixture.openBeside();
    this.#opened.push(broker);
    await broker.declareTopics(this.topics);
    return broker;
  }

  /** Ends what is open and opens it again, as after a restart. */
  async reopen(): Promise<void> {
    await Promise.all(this.#opened.map((broker) => broker.close()));
    this.#opened = [await this.fixture.open()];
    await this.broker.declareTopics(this.topics);
  }
}
