import type { KafkaNode } from '../../../src/broker/kafka/kafkajs.ts';
import type { KafkajsRequest } from '../../../src/broker/kafka/kafkajs-types.ts';
import type { FetchedPartition } from '../../../src/broker/kafka/wire/fetch.ts';
import { MessageReader } from '../../../src/broker/kafka/wire/message.ts';
import { SimulatedLog } from './simulated-log.ts';

/** Error codes of Kafka's protocol, by their names. */
const CODES = {
  OFFSET_OUT_OF_RANGE: 1,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  NOT_LEADER_FOR_PARTITION: 6,
  TOPIC_AUTHORIZATION_FAILED: 29,
} as const;

type Kind = 'prompt' | 'waiting';

interface Question {
  readonly kind: Kind;
  readonly asked: readonly {
    readonly partition: number;
    readonly offset: number;
    /** The last stable offset when it was asked. */
    readonly stable: number;
  }[];
  readonly resolve: (answer: FetchedPartition[]) => void;
  readonly reject: (error: Error) => void;
}

/** A broker whose fetches are answered when the test says so. */
export class SimulatedBroker {
  /** Nobody answers. */
  away = false;
  /** The topic is not known. */
  unknown = false;
  refreshes = 0;
  /** What ListOffsets answers where it is not what the logs say. */
  offsets: { readonly first: number; readonly end: number } | undefined;
  readonly errorOf = new Map<number, keyof typeof CODES>();
  readonly #logs = new Map<number, SimulatedLog>();
  #questions: Question[] = [];
  #node = this.#newNode();

  log(partition: number): SimulatedLog {
    let log = this.#logs.get(partition);
    if (log === undefined) {
      log = new SimulatedLog();
      this.#logs.set(partition, log);
    }
    return log;
  }

  leader(): Promise<KafkaNode> {
    if (this.unknown) {
      return Promise.reject(Object.assign(new Error('unknown'), { type: 'UNKNOWN_TOPIC_OR_PARTITION' }));
    }
    return this.away ? Promise.reject(noAnswer()) : Promise.resolve(this.#node as unknown as KafkaNode);
  }

  refresh(): Promise<void> {
    this.refreshes++;
    return this.away ? Promise.reject(noAnswer()) : Promise.resolve();
  }

  /** The connections are closed, and others are made for who asks for the leader. */
  replaceNode(): void {
    this.#node.connected = false;
    this.#node = this.#newNode();
  }

  /** What is asked and not answered, as in `waiting 0@17 2@4`. */
  summary(): string[] {
    return this.#questions.map(
      ({ asked, kind }) =>
        `${kind} ${asked.map(({ offset, partition }) => `${String(partition)}@${String(offset)}`).join(' ')}`,
    );
  }

  /**
   * Answers what is asked, with up to so many `bytes` of each of the first `partitions`; with `notedEarly` it
   * tells the stable offset as of the question, and records as of the answer.
   */
  answer(
    kind?: Kind,
    { bytes = 1_000_000, notedEarly = false, partitions = Number.POSITIVE_INFINITY } = {},
  ): void {
    const answered = this.#questions.filter((one) => kind === undefined || one.kind === kind);
    this.#questions = this.#questions.filter((one) => !answered.includes(one));
    for (const { asked, resolve } of answered) {
      resolve(
        asked.map(({ offset, partition, stable }, at) => {
          const log = this.log(partition);
          const fetched = log.fetch(offset, bytes, notedEarly ? stable : log.stable);
          const error = this.errorOf.get(partition);
          const records = at < partitions && error === undefined ? fetched.records : Buffer.alloc(0);
          return { ...fetched, partition, records, errorCode: error === undefined ? 0 : CODES[error] };
        }),
      );
    }
  }

  /** The partition is deleted, and made anew with nothing in it. */
  empty(partition: number): void {
    this.#logs.delete(partition);
  }

  /** What is asked will not be answered. */
  drop(): void {
    for (const { reject } of this.#questions.splice(0)) {
      reject(noAnswer());
    }
  }

  #newNode() {
    const node = {
      connected: true,
      isConnected(): boolean {
        return this.connected;
      },
      connectionPool: {
        send: (request: KafkajsRequest<FetchedPartition[]>) => this.#send(node, request, 'waiting'),
        getConnection: () =>
          Promise.resolve({
            send: (request: KafkajsRequest<FetchedPartition[]>) => this.#send(node, request, 'prompt'),
          }),
      },
      listOffsets: ({ topics }: { topics: { partitions: { partition: number; timestamp: number }[] }[] }) => {
        const asked = topics[0]?.partitions[0];
        const { end, first } = this.offsets ?? { first: 0, end: this.log(asked?.partition ?? 0).end };
        const offset = String(asked?.timestamp === -2 ? first : end);
        return Promise.resolve({ responses: [{ partitions: [{ offset }] }] });
      },
    };
    return node;
  }

  #send(
    node: { readonly connected: boolean },
    request: KafkajsRequest<FetchedPartition[]>,
    kind: Kind,
  ): Promise<FetchedPartition[]> {
    return node.connected ? this.#ask(request, kind) : Promise.reject(noAnswer());
  }

  async #ask({ request }: KafkajsRequest<FetchedPartition[]>, kind: Kind): Promise<FetchedPartition[]> {
    const reader = new MessageReader((await request.encode()).buffer, 'the request');
    reader.int32(); // replica
    const maxWaitMs = reader.int32();
    if ((maxWaitMs === 0) !== (kind === 'prompt')) {
      throw new Error(`a ${kind} fetch that waits ${String(maxWaitMs)} ms`);
    }
    reader.int32(); // bytes, at least
    reader.int32(); // bytes, at most
    reader.int8(); // isolation
    reader.int32(); // session
    reader.int32(); // its epoch
    const asked = reader.array(() => {
      reader.text();
      return reader.array(() => {
        const partition = reader.int32();
        reader.int32(); // the leader's epoch
        const offset = reader.int64();
        reader.int64(); // log start
        reader.int32(); // bytes, at most
        return { partition, offset, stable: this.log(partition).stable };
      });
    });
    return await new Promise((resolve, reject) => {
      this.#questions.push({ kind, asked: asked.flat(), resolve, reject });
    });
  }
}

function noAnswer(): Error {
  return Object.assign(new Error('connection refused'), { name: 'KafkaJSConnectionError' });
}
