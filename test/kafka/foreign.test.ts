import { expect } from 'chai';
import { asFile, rowLines } from '../actors/pipeline/support.ts';
import { COMMANDS_MS, lasting, Sandbox } from '../cli/run/sandbox.ts';
import { useKafka } from '../support/kafka.ts';
import { randomName } from '../support/random-name.ts';
import { eventually } from '../broker/helpers.ts';
import { consume, produce, type Seen } from './topic.ts';

/** A reader of a topic takes a gap in time for its end. */
const SEEN_WITHIN_MS = 90_000;

const PARTITIONS = 2;
const OURS = rowLines(20);
const THEIRS = rowLines(6).map((line) => line.replace(',', ',by-somebody-else-'));
const HEADER = 'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked';
const CUT = ['2026-01-01 00:00:00.000,"a', 'name",0,0,0,10,50,0'] as const;

interface Rejected {
  readonly reason: string;
  readonly record: object;
  readonly row: { readonly encoding: string; readonly text: string };
}

describe('rows from elsewhere, on a Kafka', function () {
  this.timeout(COMMANDS_MS);
  const brokers = useKafka();
  let sandbox: Sandbox;
  let prefix: string;

  beforeEach(() => {
    sandbox = new Sandbox();
    prefix = `${randomName()}.`;
    sandbox.configure(
      `topics: { prefix: '${prefix}', partitions: ${String(PARTITIONS)} }\ninput: { minimumAge: 0s, scanEvery: 200ms, events: false }\n`,
    );
  });

  afterEach(async () => {
    await sandbox.remove();
  });

  const once = async (): Promise<ReturnType<typeof lasting>> => {
    const ended = await sandbox.once(['--brokers', brokers().join(',')]);
    expect(ended.code, ended.stderr).to.equal(0);
    return lasting(ended);
  };

  it('are counted beside our own, or set aside with topic, partition, offset, line and reason', async () => {
    const topic = `${prefix}mobile_data`;
    sandbox.put('first.csv', asFile(OURS.slice(0, 10)));
    expect((await once()).rows).to.deep.equal({ read: 10, counted: 10, rejected: 0 });

    const before = await consume(brokers(), topic, 1);
    const next = Math.max(
      -1,
      ...before.filter(({ partition }) => partition === 1).map((seen) => seen.offset),
    );
    const invalid = Buffer.from(THEIRS[0] ?? '');
    invalid[26] = 0xff;
    await produce(brokers(), topic, [
      { partition: 1, key: 'keyed', value: THEIRS[1] ?? '' },
      { partition: 1, value: THEIRS[2] ?? '', headers: { trace: 'a-header-of-theirs' } },
      { partition: 1, value: `${THEIRS.slice(3).join('\n')}\n` },
      { partition: 1, value: null },
      { partition: 1, value: invalid },
      { partition: 1, value: `${HEADER}\n${CUT.join('\n')}\n` },
    ]);
    sandbox.put('second.csv', asFile(OURS.slice(10)));
    const { rows, model } = await once();
    expect(rows).to.deep.equal({ read: 30, counted: 25, rejected: 5 });
    expect(model.weight).to.equal(25);

    const rejected = (await consume(brokers(), `${topic}.rejected`, 5)).map(
      ({ value }) => JSON.parse(value ?? '') as Rejected,
    );
    // After what was there, and the marker that ends our transaction.
    let first: Seen | undefined;
    await eventually(async () => {
      first = (await consume(brokers(), topic, 1)).find(({ key }) => key === 'keyed');
      expect(first?.offset).to.be.greaterThan(next);
    }, SEEN_WITHIN_MS);
    const at = (offset: number, line: number): object => ({
      topic,
      partition: 1,
      offset: (first?.offset ?? 0) + offset,
      line,
    });
    expect(
      rejected.map(({ reason, record, row }) => [
        reason,
        record,
        row.encoding === 'base64' ? Buffer.from(row.text, 'base64').toString('hex') : row.text,
      ]),
    ).to.deep.equal([
      ['empty-message', at(3, 0), ''],
      ['invalid-utf8', at(4, 0), invalid.toString('hex')],
      ['header-line', at(5, 0), HEADER],
      ['quote', at(5, 1), CUT[0]],
      ['quote', at(5, 2), CUT[1]],
    ]);
  });

  it('and our own are plain CSV lines to them', async () => {
    sandbox.put('ours.csv', asFile(OURS));
    await once();
    let seen: readonly Seen[] = [];
    await eventually(async () => {
      seen = await consume(brokers(), `${prefix}mobile_data`, 1);
      const lines = seen.flatMap(({ value }) => (value ?? '').split('\n')).filter((line) => line !== '');
      expect(lines.sort()).to.deep.equal([...OURS].sort());
    }, SEEN_WITHIN_MS);
    expect(seen.length, 'packed').to.be.lessThan(OURS.length);
  });
});
