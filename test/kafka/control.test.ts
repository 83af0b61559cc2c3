import { expect } from 'chai';
import { asFile, rowLines } from '../actors/pipeline/support.ts';
import { COMMANDS_MS, Sandbox, type Started } from '../cli/run/sandbox.ts';
import { useKafka } from '../support/kafka.ts';
import { randomName } from '../support/random-name.ts';
import { eventually } from '../broker/helpers.ts';
import { consume, produce } from './topic.ts';

const ROWS = 600;
const LONG_MS = 60_000;

interface Reply {
  readonly id: string;
  readonly replica: string;
  readonly status: string;
  readonly command: { readonly name: string };
  readonly result?: Readonly<Record<string, unknown>>;
}

describe('commands for one of two replicas, over the control topic', function () {
  this.timeout(COMMANDS_MS);
  const brokers = useKafka();
  let box: Sandbox;

  beforeEach(() => {
    box = new Sandbox();
  });

  afterEach(async () => {
    await box.remove();
  });

  it('that is being restarted when they are sent are each carried out once', async () => {
    const prefix = `${randomName()}.`;
    const control = `${prefix}geoflock.control`;
    box.configure(`topics: { prefix: '${prefix}', partitions: 2 }\ncheckpoint: { every: 300ms }\n`);
    box.put('a.csv', asFile(rowLines(ROWS)));
    const start = (name: string): Started =>
      box.start(['--report', `report-${name}`, '--brokers', brokers().join()], {
        GEOFLOCK_REPLICA_NAME: name,
      });
    /** What is in the audit of these, and of nothing else but the looks of this test. */
    const replies = async (ids: readonly string[]): Promise<readonly Reply[]> => {
      let found: readonly Reply[] = [];
      await eventually(async () => {
        const seen = await consume(brokers(), `${control}.replies`, ids.length);
        found = seen
          .map(({ value }) => JSON.parse(value ?? '') as Reply)
          .filter(({ command }) => command.name !== 'status');
        expect(found.map(({ id }) => id)).to.include.members([...ids]);
      }, LONG_MS);
      return found;
    };
    const send = async (...commands: readonly object[]): Promise<void> => {
      const expiresAt = Date.now() + LONG_MS;
      const messages = commands.map((command) => ({
        partition: 0,
        value: JSON.stringify({ target: 'b', expiresAt, by: 'console', ...command }),
      }));
      await produce(brokers(), control, messages);
    };

    const a = start('a');
    let b = start('b');
    await Promise.all([a.told(/"msg":"watching;/), b.told(/"msg":"watching;/)]);
    await eventually(async () => {
      const { totals } = await status(a);
      expect(totals.rows).to.deep.equal({ read: ROWS, counted: ROWS, rejected: 0 });
    }, LONG_MS);

    // 1. A setting and a rewind, while it is away.
    b.child.kill('SIGKILL');
    await b.ended;
    await send(
      { id: 'set', command: { name: 'set', key: 'k', value: 3 } },
      { id: 'rewind', command: { name: 'rewind', toOffset: 'earliest' } },
    );
    b = start('b');
    await b.told(/"msg":"watching;/);
    const first = await replies(['set', 'rewind']);
    expect(first.map(({ id, replica, status: how }) => [id, replica, how])).to.have.deep.members([
      ['set', 'b', 'done'],
      ['rewind', 'b', 'done'],
    ]);
    expect(first.find(({ id }) => id === 'rewind')?.result).to.include({ epoch: 1 });

    // 2. Read again after another restart they are let be.
    b.child.kill('SIGKILL');
    await b.ended;
    await send({ id: 'shutdown', command: { name: 'shutdown' } });
    b = start('b');
    expect((await b.ended).code).to.equal(0);

    // 3. The shutdown, too.
    b = start('b');
    await b.told(/"msg":"watching;/);
    await send({ id: 'still-there', command: { name: 'topology' } });
    const all = await replies(['rewind', 'set', 'shutdown', 'still-there']);
    expect(all.map(({ id }) => id).sort()).to.deep.equal(['rewind', 'set', 'shutdown', 'still-there']);
    expect(b.child.exitCode).to.equal(null);
    await eventually(async () => {
      const { model, settings, totals } = await status(a);
      expect(settings).to.deep.equal({ 'clustering.k': '3' });
      expect(totals.rows).to.deep.equal({ read: ROWS, counted: ROWS, rejected: 0 });
      expect(model).to.include({ k: 3 });
    }, LONG_MS);
  });

  it('reach it by way of the other, which tells the answer', async () => {
    const prefix = `${randomName()}.`;
    box.configure(`topics: { prefix: '${prefix}', partitions: 2 }\n`);
    const start = (name: string): Started =>
      box.start(['--report', `report-${name}`, '--brokers', brokers().join()], {
        GEOFLOCK_REPLICA_NAME: name,
      });
    const a = start('a');
    const b = start('b');
    await Promise.all([a.told(/"msg":"watching;/), b.told(/"msg":"watching;/)]);
    const paused = await ask(a, 'POST', '/stages/publisher/pause?target=b');
    expect(paused).to.deep.equal({ stage: 'publisher', paused: true });
    const pausedStages = async (replica: Started): Promise<readonly string[]> =>
      (await status(replica)).stages.filter((stage) => stage.paused).map(({ stage }) => stage);
    expect(await pausedStages(a)).to.deep.equal([]);
    expect(await pausedStages(b)).to.deep.equal(['publisher']);
    await ask(a, 'POST', '/shutdown?target=b');
    expect((await b.ended).code).to.equal(0);
    a.child.kill('SIGTERM');
    await a.ended;
  });
});

interface Status {
  readonly totals: { readonly rows: object };
  readonly settings: object;
  readonly model: object | null;
  readonly stages: readonly { readonly stage: string; readonly paused: boolean }[];
}

async function status(replica: Started): Promise<Status> {
  return (await ask(replica, 'GET', '/status')) as Status;
}

/** Over HTTP, at the address that it has told. */
async function ask(replica: Started, method: string, path: string): Promise<unknown> {
  const response = await fetch(`${await replica.url()}/api/v1${path}`, { method });
  const answer: unknown = await response.json();
  expect(response.status, JSON.stringify(answer)).to.equal(200);
  return answer;
}
