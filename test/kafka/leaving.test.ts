import { expect } from 'chai';
import kafkajs from 'kafkajs';
import { rowLines, sleep } from '../actors/pipeline/support.ts';
import { COMMANDS_MS, lasting, Sandbox } from '../cli/run/sandbox.ts';
import { useKafka } from '../support/kafka.ts';
import { randomName } from '../support/random-name.ts';
import { eventually } from '../broker/helpers.ts';

const PARTITIONS = 4;
/**
 * The offset of no partition may stand still for longer while there is something to be counted. A session is far
 * longer.
 */
const MOST_STILL_MS = 12_000;
const BEFORE_MS = 4_000;
const AFTER_MS = 15_000;
const SEND_EVERY_MS = 100;
const ROWS_EACH = 20;

/** Rows into every partition, on and on, until told to stop. */
class Load {
  sent = 0;
  readonly #kafka: kafkajs.Kafka;
  readonly #topic: string;
  #over = false;

  constructor(kafka: kafkajs.Kafka, topic: string) {
    this.#kafka = kafka;
    this.#topic = topic;
  }

  async run(): Promise<void> {
    const lines = rowLines(ROWS_EACH).join('\n');
    const producer = this.#kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
    await producer.connect();
    try {
      while (!this.#over) {
        const messages = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, value: lines }));
        await producer.send({ topic: this.#topic, messages });
        this.sent += PARTITIONS * ROWS_EACH;
        await sleep(SEND_EVERY_MS);
      }
    } finally {
      await producer.disconnect();
    }
  }

  stop(): void {
    this.#over = true;
  }
}

/** The offsets that the group has committed, by Kafka's own word: for how long each has stood still at most. */
class Watch {
  readonly longestMs = new Array<number>(PARTITIONS).fill(0);
  readonly #offsets = new Array<number>(PARTITIONS).fill(-1);
  readonly #since = new Array<number>(PARTITIONS).fill(0);

  constructor(now: number) {
    this.#since.fill(now);
  }

  see(partition: number, offset: number, now: number): void {
    this.longestMs[partition] = Math.max(
      this.longestMs[partition] ?? 0,
      now - (this.#since[partition] ?? now),
    );
    if (offset > (this.#offsets[partition] ?? -1)) {
      this.#offsets[partition] = offset;
      this.#since[partition] = now;
    }
  }
}

describe('a replica that leaves', function () {
  this.timeout(COMMANDS_MS);
  const brokers = useKafka();
  let box: Sandbox;

  beforeEach(() => {
    box = new Sandbox();
  });

  afterEach(async () => {
    await box.remove();
  });

  it('by SIGTERM under load hands its partitions over at once: the offset of each goes on', async () => {
    const prefix = `${randomName()}.`;
    const topic = `${prefix}mobile_data`;
    box.configure(
      `topics: { prefix: '${prefix}', partitions: ${String(PARTITIONS)} }\ncheckpoint: { every: 1s }\n` +
        'broker: { kafka: { sessionTimeout: 30s } }\n',
    );
    const place = ['--brokers', brokers().join()];
    const [a, b] = ['a', 'b'].map((name) => box.start(['--report', `report-${name}`, ...place]));
    if (a === undefined || b === undefined) {
      throw new Error('two replicas are started');
    }
    await Promise.all([a.told(/"msg":"watching;/), b.told(/"msg":"watching;/)]);
    const kafka = new kafkajs.Kafka({ brokers: [...brokers()], logLevel: kafkajs.logLevel.NOTHING });
    const load = new Load(kafka, topic);
    const loading = load.run();
    const admin = kafka.admin();
    await admin.connect();
    let began = performance.now();
    let watch = new Watch(began);
    const look = async (forMs: number): Promise<void> => {
      while (performance.now() - began < forMs) {
        const [found] = await admin.fetchOffsets({ groupId: `${prefix}geoflock`, topics: [topic] });
        for (const { offset, partition } of found?.partitions ?? []) {
          watch.see(partition, Number(offset), performance.now());
        }
        await sleep(100);
      }
    };
    try {
      await eventually(async () => {
        const { groups } = await admin.describeGroups([`${prefix}geoflock`]);
        const shares = groups[0]?.members.map(({ memberAssignment }) => partitionsOf(memberAssignment));
        expect(shares).to.deep.equal([PARTITIONS / 2, PARTITIONS / 2]);
      }, 60_000);
      [began, watch] = [performance.now(), new Watch(performance.now())];
      await look(BEFORE_MS);
      const atRest = watch.longestMs;
      [began, watch] = [performance.now(), new Watch(performance.now())];
      a.child.kill('SIGTERM');
      const [{ code }] = await Promise.all([a.ended, look(AFTER_MS)]);
      const told = (ms: readonly number[]): string => ms.map((one) => one.toFixed(0)).join(', ');
      process.stdout.write(
        `      longest stand of each partition's offset, ms: ${told(atRest)} before, ${told(watch.longestMs)} while one leaves\n`,
      );
      expect(code).to.equal(0);
      expect(Math.max(...watch.longestMs)).to.be.at.most(MOST_STILL_MS);
      load.stop();
      await loading;
      b.child.kill('SIGTERM');
      expect((await b.ended).code).to.equal(0);
      const last = await box.once(place);
      expect(lasting(last).rows).to.deep.equal({ read: load.sent, counted: load.sent, rejected: 0 });
    } finally {
      load.stop();
      await loading.catch(() => undefined);
      await admin.disconnect();
      a.child.kill('SIGKILL');
      b.child.kill('SIGKILL');
    }
  });
});

/** How many partitions a member of the group has. */
function partitionsOf(assignment: Buffer): number {
  const decoded = kafkajs.AssignerProtocol.MemberAssignment.decode(assignment);
  return Object.values(decoded?.assignment ?? {}).flat().length;
}
