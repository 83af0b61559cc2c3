import { appendFileSync, chmodSync, cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { useImage } from './image.ts';
import { type Container, Lab, type Status, until } from './lab.ts';
import { differences, type Truth, truthOf } from './truth.ts';

const ROWS_A_FILE = 5_000;
/** A file takes a transaction, whose commit a busy machine does not make at once. */
const FILE_EVERY = '2s';
const GRACE_SECONDS = 30;
/** Of a broker that was killed and is started again, sessions that have to end, and work that was given up. */
const GOES_ON_WITHIN_MS = 180_000;
const TEST_MS = 900_000;

describe('the main job in containers', function () {
  this.timeout(TEST_MS);
  const image = useImage();
  let data = '';
  let lab: Lab | undefined;

  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'geoflock-containers-'));
    // The containers' user is not the one of the tests.
    chmodSync(data, 0o777);
  });

  afterEach(async function () {
    this.timeout(120_000);
    await lab?.remove();
    rmSync(data, { recursive: true, force: true });
  });

  it('counts each row once, whoever is killed: one of the two, the broker, or both at once', async () => {
    lab = new Lab(image());
    const network = await lab.network();
    const kafka = await lab.kafka(network);
    const environment = {
      GEOFLOCK_KAFKA_BROKERS: 'kafka:9092',
      GEOFLOCK_KAFKA_SESSION_TIMEOUT: '6s',
      GEOFLOCK_CHECKPOINT_EVERY: '1s',
      GEOFLOCK_TOPICS_PARTITIONS: '4',
      // Both leave at once, and partitions move while the last checkpoints are made.
      GEOFLOCK_SHUTDOWN_DEADLINE: '25s',
    };
    const replica = (name: string): Promise<Container> =>
      (lab as Lab).start({ args: ['run'], data, environment, network, name }, /"msg":"watching;/);
    const [generator, one, two] = await Promise.all([
      lab.start({ args: ['generate', '/data', String(ROWS_A_FILE), '--every', FILE_EVERY], data }),
      replica('geoflock-1'),
      replica('geoflock-2'),
    ]);
    const countedAtKills: number[] = [];
    const beyond = async (replicaToAsk: Container, rows: number): Promise<number> => {
      const status = await until(
        `more than ${String(rows)} rows counted`,
        GOES_ON_WITHIN_MS,
        () => replicaToAsk.status(),
        ({ totals }) => totals.rows.counted > rows,
      );
      return status.totals.rows.counted;
    };
    let counted = 0;
    for (const blow of [[one], [kafka], [two, kafka]]) {
      // Who is killed in this turn can be asked only before.
      counted = await beyond(one, counted);
      await Promise.all(blow.map((container) => container.kill()));
      countedAtKills.push(counted);
      await Promise.all(blow.map((container) => container.startAgain()));
    }
    counted = await beyond(two, counted);
    const { code } = await generator.stop(GRACE_SECONDS);
    expect(code, 'exit code of the generator').to.be.oneOf([0, 143]);
    const truth = truthOf(data);
    // It was in the middle each time: something was counted, and more came.
    expect(countedAtKills[0]).to.be.greaterThan(0);
    expect(counted).to.be.at.most(truth.rows);
    expect(countedAtKills[2]).to.be.lessThan(truth.rows);
    await one.text('/api/v1/drain?timeout=600', 'POST');
    for (const container of [one, two]) {
      const status = await settled(container, truth);
      expect(differences(status, truth)).to.deep.equal([]);
      expect(status.model?.k).to.equal(5);
      expectToBeSeen(status, data);
    }
    process.stdout.write(
      `      ${String(truth.rows)} rows in ${String(truth.files)} files; killed at ${countedAtKills.join(', ')} counted\n`,
    );
    const ends = await Promise.all([one, two].map((container) => container.stop(GRACE_SECONDS)));
    expect(ends.map((end) => end.code)).to.deep.equal([0, 0]);
  });
});

/** The status once it is the truth, or as it is when there was time enough for that. */
async function settled(container: Container, truth: Truth): Promise<Status> {
  const ask = (): Promise<Status> => container.status();
  return await until(
    'the truth',
    GOES_ON_WITHIN_MS,
    ask,
    (status) => differences(status, truth).length === 0,
  ).catch(ask);
}

/** That one row, or one file, more or less would be seen. */
function expectToBeSeen(status: Status, folder: string): void {
  const copy = mkdtempSync(join(tmpdir(), 'geoflock-truth-'));
  try {
    cpSync(folder, copy, { recursive: true });
    const [name] = readdirSync(copy);
    appendFileSync(join(copy, name ?? ''), 'one row more\n');
    const wrong = differences(status, truthOf(copy));
    expect(wrong.map((text) => text.split(':')[0])).to.deep.equal([
      'rows read',
      'rows counted',
      'weight of the model',
    ]);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}
