import { expect } from 'chai';
import { useKafka } from '../../support/kafka.ts';
import { randomName } from '../../support/random-name.ts';
import { COMMANDS_MS, type Ended, lasting, type OnceJson, Sandbox } from './sandbox.ts';

const HEADER = 'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked';
const GOOD = '2026-01-01 00:00:00.000,d,0,0,9.8,2.35,48.86,1';
/** By the day after tomorrow it is no longer ahead of its time. */
const AHEAD = `${new Date(Date.now() + 40 * 3_600_000).toISOString()},d,0,0,9.8,2.35,48.86,1`;
const SWAPPED = '2026-01-01 00:00:00.000,d,0,0,9.8,48.86,122.35,1';

interface Listed {
  readonly id: string;
  readonly reason: string;
  readonly redriven: boolean;
  readonly file?: { readonly path?: string; readonly line: number };
  readonly row: { readonly text: string };
}

function jsonLines({ stdout }: Ended): readonly Listed[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Listed);
}

/** On either broker: the same commands, the same answers. */
function sameOnBoth(place: () => readonly string[], config: () => string): void {
  let box: Sandbox;

  beforeEach(() => {
    box = new Sandbox();
    box.configure(config());
  });

  afterEach(async () => {
    await box.remove();
  });

  const ask = (...args: readonly string[]): Promise<Ended> => box.ask([...args, ...place()]);
  const once = async (): Promise<OnceJson['rows']> => {
    const ended = await box.once(place());
    expect(ended.code, ended.stderr).to.equal(0);
    return lasting(ended).rows;
  };

  it('rejected rows are listed, shown and redriven; the totals move, those of the file too', async () => {
    box.put('sub/a.csv', [HEADER, GOOD, AHEAD, SWAPPED, 'bad', ''].join('\n'));
    expect(await once()).to.deep.equal({ read: 4, counted: 1, rejected: 3 });

    const list = await ask('rejected', 'list');
    expect([list.code, list.stderr]).to.deep.equal([0, '3 rejected\n']);
    const [future = '', latitude = '', columns = ''] = list.stdout.split('\n');
    expect(future).to.match(/^[0-9a-f]{24}:\d+\tfuture\tsub\/a\.csv:3\ttimepoint .* is too far ahead/);
    expect(latitude).to.match(
      /\tlatitude-out-of-range\tsub\/a\.csv:4\tlatitude 122\.35 .*source\.columns right\?$/,
    );
    expect(columns).to.match(/\tcolumn-count\tsub\/a\.csv:5\t/);
    const [id = ''] = latitude.split('\t');

    const shown = await ask('rejected', 'show', id);
    expect(shown.stdout).to.contain(SWAPPED).and.contain('sub/a.csv, line 4, byte ');
    const none = await ask('rejected', 'show', 'none:1');
    expect([none.code, none.stdout]).to.deep.equal([1, '']);
    expect(none.stderr).to.match(/^geoflock: no rejected row none:1 is kept/);

    // As it is by the settings of now, then with what was wrong put right.
    const same = await ask('rejected', 'redrive', id);
    expect(same.code).to.equal(1);
    expect(same.stdout).to.contain(`${id} stays rejected: latitude 122.35 is out of range`);
    const right = await box.ask(['rejected', 'redrive', '--file', 'sub/a.csv', '--json', ...place()], {
      GEOFLOCK_SOURCE_MAX_FUTURE: '3d',
    });
    expect(right.code).to.equal(1);
    expect(JSON.parse(right.stdout)).to.deep.include({ redriven: 1, already: 0 });
    const replaced = await ask('rejected', 'redrive', id, '--row', GOOD);
    expect([replaced.code, replaced.stdout.split('\n')[0]]).to.deep.equal([0, '1 redriven']);
    const again = await ask('rejected', 'redrive', id, '--row', GOOD);
    expect([again.code, again.stdout]).to.deep.equal([0, '0 redriven, 1 had been redriven before\n']);

    expect(await once()).to.deep.equal({ read: 4, counted: 3, rejected: 1 });
    expect(jsonLines(await ask('rejected', 'list', '--json')).map(({ reason }) => reason)).to.deep.equal([
      'column-count',
    ]);
    const all = jsonLines(await ask('rejected', 'list', '--all', '--json'));
    expect(all.map(({ file, redriven, row }) => [file?.path, file?.line, redriven, row.text])).to.deep.equal([
      ['sub/a.csv', 3, true, AHEAD],
      ['sub/a.csv', 4, true, SWAPPED],
      ['sub/a.csv', 5, false, 'bad'],
    ]);
    const files = await ask('files');
    expect(files.stdout).to.equal('sub/a.csv\tdone\t4 read, 3 accepted, 1 rejected\n');
    expect(JSON.parse((await ask('files', '--json')).stdout)).to.deep.nested.include({
      path: 'sub/a.csv',
      'rows.rejected': 1,
      'rows.accepted': 3,
    });
  });

  it('a rewind to the earliest offset gives the same result again', async () => {
    box.put('a.csv', [HEADER, ...Array.from({ length: 50 }, () => GOOD), 'bad', ''].join('\n'));
    const first = lasting(await box.once(place()));
    const asked = await ask('rewind', '--to-offset', 'earliest');
    expect(asked.code, asked.stderr).to.equal(0);
    expect(asked.stdout).to.match(/^partition {3}counted up to {5}again from\n/);
    expect(asked.stdout).to.match(/\nrewind 1: all summaries are dropped and made anew; the /);
    expect(lasting(await box.once(place()))).to.deep.equal(first);
    const refused = await ask('rewind', '--to-offset', '1000000');
    expect([refused.code, refused.stdout]).to.deep.equal([1, '']);
    expect(refused.stderr).to.match(
      /^geoflock: no partition of .*mobile_data has been counted up to offset 1000000/,
    );
    const late = JSON.parse((await ask('rewind', '--to-time', '9000-01-01T00:00:00Z', '--json')).stdout) as {
      readonly epoch: number;
    };
    expect(late.epoch).to.equal(2);
    const { model, rows } = lasting(await box.once(place()));
    expect(rows).to.deep.equal({ read: 1, counted: 0, rejected: 1, leftOut: 50 });
    expect(model.weight).to.equal(0);
  });
}

describe('rejected rows and rewinds', function () {
  this.timeout(COMMANDS_MS);
  describe('on the embedded broker', () => {
    sameOnBoth(
      () => [],
      () => 'topics: { partitions: 2 }',
    );

    it('need a state that is there, and that nobody uses', async () => {
      const box = new Sandbox();
      try {
        const none = await box.ask(['rejected', 'list']);
        expect([none.code, none.stdout]).to.deep.equal([1, '']);
        expect(none.stderr).to.match(
          /^geoflock: there is no state in .*state \(name its folder with --state DIR/,
        );
        const running = box.start([]);
        await running.told(/"msg":"watching;/);
        const locked = await box.ask(['rewind', '--to-offset', 'earliest']);
        expect([locked.code, locked.stdout]).to.deep.equal([1, '']);
        expect(locked.stderr).to.match(/^geoflock: the store in .* is in use by process \d+: stop it/);
        running.child.kill('SIGTERM');
        expect((await running.ended).code).to.equal(0);
      } finally {
        await box.remove();
      }
    });

    it('want to be told which rows, and where to', async () => {
      const box = new Sandbox();
      try {
        for (const [args, told] of [
          [['rejected', 'redrive'], 'name ids, or --reason'],
          [['rejected', 'redrive', 'x:1', '--all'], 'name ids, or --reason'],
          [
            ['rejected', 'redrive', '--reason', 'future', '--row', GOOD],
            '--row stands in the place of one row',
          ],
          [['rewind'], 'name either --to-offset or --to-time'],
          [['rewind', '--to-offset', '1', '--to-time', '2026-01-01 00:00:00'], 'name either'],
          [['rewind', '--to-offset', 'soon'], 'Expected a whole number'],
          [['rewind', '--to-time', 'yesterday'], 'Expected a time such as'],
        ] as const) {
          const { code, stderr, stdout } = await box.ask(args);
          expect([code, stdout], args.join(' ')).to.deep.equal([2, '']);
          expect(stderr).to.contain(told);
        }
      } finally {
        await box.remove();
      }
    });
  });

  describe('on Kafka', () => {
    const brokers = useKafka();
    let prefix = '';

    sameOnBoth(
      () => ['--brokers', brokers().join()],
      () => {
        prefix = `${randomName()}-`;
        return `topics: { partitions: 2, prefix: ${prefix} }`;
      },
    );

    it('are refused, and no topic is made, where there never was anything', async () => {
      const box = new Sandbox();
      try {
        prefix = `${randomName()}-`;
        box.configure(`topics: { partitions: 2, prefix: ${prefix} }`);
        for (let time = 0; time < 2; time++) {
          const { code, stderr } = await box.ask(['rejected', 'list', '--brokers', brokers().join()]);
          expect(code).to.equal(1);
          expect(stderr).to.match(
            new RegExp(`there is nothing yet: no topic ${prefix}mobile_data, .*topics\\.prefix`),
          );
        }
      } finally {
        await box.remove();
      }
    });

    it('a row that several redrive at once, while it runs, is counted once; a rewind is applied by who runs', async () => {
      const box = new Sandbox();
      try {
        box.configure(
          `topics: { partitions: 2, prefix: ${randomName()}- }\ncheckpoint: { every: 200ms }\nmodel: { every: 300ms }\n`,
        );
        const place = ['--brokers', brokers().join()];
        box.put('a.csv', [HEADER, ...Array.from({ length: 20 }, () => GOOD), AHEAD, ''].join('\n'));
        expect(lasting(await box.once(place)).rows).to.deep.equal({ read: 21, counted: 20, rejected: 1 });
        const running = box.start(place);
        await running.told(/"msg":"watching;/);
        const later = { GEOFLOCK_SOURCE_MAX_FUTURE: '3d' };
        const redrives = await Promise.all(
          [1, 2, 3].map(() => box.ask(['rejected', 'redrive', '--all', '--json', ...place], later)),
        );
        const told = redrives.map(
          ({ stdout }) => JSON.parse(stdout) as { redriven: number; already: number },
        );
        expect(told.reduce((sum, { redriven }) => sum + redriven, 0)).to.equal(1);
        expect(told.reduce((sum, { already }) => sum + already, 0)).to.equal(2);
        expect((await box.ask(['rewind', '--to-offset', 'earliest', ...place])).code).to.equal(0);
        await running.told(/"msg":"rewound: this partition is counted anew"/);
        running.child.kill('SIGTERM');
        expect((await running.ended).code).to.equal(0);
        expect(lasting(await box.once(place)).rows).to.deep.equal({ read: 21, counted: 21, rejected: 0 });
      } finally {
        await box.remove();
      }
    });
  });
});
