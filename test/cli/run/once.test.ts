import fs from 'node:fs';
import { expect } from 'chai';
import { csv, HEADER, rows } from '../../actors/publisher/ingest-run.ts';
import { cannotRun } from '../../support/cannot-run.ts';
import { COMMANDS_MS, type Ended, lasting, Sandbox } from './sandbox.ts';

describe('geoflock run --once', function () {
  this.timeout(COMMANDS_MS);
  let box: Sandbox;

  beforeEach(() => {
    box = new Sandbox();
  });

  afterEach(async () => {
    await box.remove();
  });

  it('prints exactly the promised JSON, writes the reports, and says the same when nothing is new', async () => {
    box.put('a.csv', `${csv(900)}bad\n`);
    box.put('sub/copy.csv', `${csv(900)}bad\n`);
    const first = await box.once();
    expect(first.code).to.equal(0);
    expect(first.stdout.endsWith('}\n')).to.equal(true);
    expect(first.stdout.split('\n').length).to.equal(2);
    const result = JSON.parse(first.stdout) as Record<string, Record<string, unknown>>;
    expect(Object.keys(result)).to.deep.equal(['files', 'rows', 'model', 'elapsedSeconds', 'rowsPerSecond']);
    expect(result['files']).to.deep.equal({ done: 2, failed: 0 });
    expect(result['rows']).to.deep.equal({ read: 1_802, counted: 1_800, rejected: 2 });
    expect(Object.keys(result['model'] ?? {})).to.deep.equal([
      'k',
      'weight',
      'cost',
      'costBounds',
      'time',
      'drift',
      'kChoice',
      'clusters',
    ]);
    const { clusters, weight } = lasting(first).model;
    expect(weight).to.equal(1_800);
    expect(clusters.length).to.equal(5);
    for (const cluster of clusters) {
      expect(Object.keys(cluster)).to.deep.equal([
        'id',
        'longitude',
        'latitude',
        'center',
        'weight',
        'share',
        'radiusKm',
        'place',
      ]);
    }
    const reports = (): string[] =>
      ['model.json', 'clusters.geojson'].map((name) => fs.readFileSync(box.at('report', name), 'utf8'));
    const before = reports();
    expect(JSON.parse(before[0] ?? '')).to.deep.equal(lasting(first).model);
    expect(fs.readdirSync(box.at('report')).sort()).to.deep.equal([
      'clusters.geojson',
      'model.json',
      'report.html',
      'report.md',
    ]);

    const second = await box.once();
    expect(second.code).to.equal(0);
    expect(lasting(second)).to.deep.equal(lasting(first));
    expect((JSON.parse(second.stdout) as { rowsPerSecond: number }).rowsPerSecond).to.equal(0);
    expect(reports()).to.deep.equal(before);
  });

  it('with no rows there is an empty model; without --json it is told for people', async () => {
    box.put('empty.csv', '');
    box.put('header.csv', `${HEADER}\r\n`);
    box.put('.hidden.csv', csv(1));
    box.put('notes.txt', 'no rows');
    const { code, stdout } = await box.start(['--once']).ended;
    expect(code).to.equal(0);
    expect(stdout).to.match(/^files +2 done, 0 failed$/m);
    expect(stdout).to.match(/^drift {5}none: not judged, no pane yet$/m);
    expect(stdout).to.match(/^no clusters: no rows are counted$/m);
    const model = JSON.parse(fs.readFileSync(box.at('report', 'model.json'), 'utf8')) as object;
    expect(model).to.deep.equal({
      k: 5,
      weight: 0,
      cost: 0,
      costBounds: { lower: 0, upper: 0 },
      time: { from: null, to: null, watermark: null, rows: 0, halfLifeSeconds: null },
      drift: { pane: null, ratio: null, alarm: false, since: null, reason: 'no pane yet' },
      kChoice: { reason: 'k = 5 is fixed by clustering.k', effectiveRows: null, curve: [] },
      clusters: [],
    });
  });

  it('a file that fails is named, the others go on, the JSON is printed, the exit code is 1', async () => {
    box.put('good.csv', csv(20));
    box.put('no latitude.csv', `${HEADER.replace('latitude', 'lat')}\n${rows(20)}`);
    fs.symlinkSync('nowhere', box.at('input', 'dangling.csv'));
    const first = await box.once();
    expect(first.code).to.equal(1);
    expect(lasting(first).files).to.deep.equal({ done: 1, failed: 2 });
    expect(lasting(first).rows).to.deep.equal({ read: 20, counted: 20, rejected: 0 });
    const errors = first.log.filter(({ level }) => level === 'error');
    expect(errors.map(({ file, msg }) => `${String(file)}: ${msg}`).sort()).to.satisfy((told: string[]) => {
      return (
        told.length === 2 &&
        told[0] === 'dangling.csv: not read: dangling link' &&
        told[1]?.startsWith('no latitude.csv: not read: missing in the header: latitude') === true &&
        told[1].includes('set source.columns')
      );
    });
    const second = await box.once();
    expect([second.code, lasting(second)]).to.deep.equal([1, lasting(first)]);
  });

  describe('without the rights it needs', () => {
    async function withoutRights(test: Mocha.Context, args: readonly string[] = []): Promise<Ended> {
      const ended = await box.onceWithoutRights(args);
      if (ended === undefined) {
        cannotRun(test, 'root reads and writes everything, and the project is not open to another user');
      }
      return ended;
    }

    function expectPlain({ code, stderr, stdout }: Ended, pattern: RegExp): void {
      expect(stderr).to.match(pattern);
      expect(stderr).to.not.match(/^\s+at .*:\d+:\d+/m);
      expect([code, stdout]).to.deep.equal([1, '']);
    }

    it('unreadable files and folders: named, the others go on, exit code 1', async function () {
      box.giveAway();
      box.put('good.csv', csv(20));
      box.put('secret.csv', csv(20));
      box.put('closed/a.csv', csv(20));
      fs.chmodSync(box.at('input', 'secret.csv'), 0);
      fs.chmodSync(box.at('input', 'closed'), 0);
      const ended = await withoutRights(this);
      fs.chmodSync(box.at('input', 'closed'), 0o700);
      expect(ended.code).to.equal(1);
      expect(lasting(ended).files).to.deep.equal({ done: 1, failed: 1 });
      expect(lasting(ended).rows.counted).to.equal(20);
      const errors = ended.log.filter(({ level }) => level === 'error');
      expect(errors.map(({ file, msg }) => `${String(file)}: ${msg}`).sort()).to.deep.equal([
        'secret.csv: not read: permission denied',
        'undefined: not scanned: files in it are not read',
      ]);
      expect(ended.stderr).to.contain('input/closed: permission denied');
    });

    it('an input folder that cannot be listed: exit code 1', async function () {
      box.giveAway();
      fs.chmodSync(box.at('input'), 0o100);
      const ended = await withoutRights(this);
      expect(ended.code).to.equal(1);
      expect(ended.stderr).to.contain('permission denied');
    });

    for (const what of ['state', 'report'] as const) {
      it(`an unwritable ${what} folder: exit code 1 with the remedy`, async function () {
        box.giveAway();
        fs.mkdirSync(box.at(what), { mode: 0o555 });
        box.put('good.csv', csv(1));
        expectPlain(
          await withoutRights(this),
          new RegExp(`geoflock: .*${what}.*choose another with --${what} DIR`),
        );
      });

      it(`a ${what} folder that cannot be made: exit code 1 with the remedy`, async function () {
        box.giveAway();
        fs.mkdirSync(box.at('closed'), { mode: 0o555 });
        const ended = await withoutRights(this, [`--${what}`, `closed/${what}`]);
        expectPlain(ended, new RegExp(`geoflock: .*closed/${what}.*choose another with --${what} DIR`));
      });
    }

    it('an input folder behind one that cannot be entered: exit code 2', async function () {
      box.giveAway();
      fs.mkdirSync(box.at('closed/input'), { recursive: true });
      fs.chmodSync(box.at('closed'), 0);
      const { code, stderr, stdout } = await withoutRights(this, ['--input', 'closed/input']);
      expect([code, stdout]).to.deep.equal([2, '']);
      expect(stderr).to.match(
        /^geoflock: no input folder: .*closed\/input.*\(choose one with --input DIR\)\n$/,
      );
    });

    it('files that cannot be moved: each try leaves no copy behind', async function () {
      box.giveAway();
      box.configure('input: { after: move, moveTo: moved }');
      box.put('fixed/a.csv', csv(20));
      fs.chmodSync(box.at('input', 'fixed'), 0o555);
      for (let tries = 0; tries < 2; tries++) {
        const ended = await withoutRights(this);
        expect(ended.stderr).to.contain('could not be moved: permission denied');
        expect(lasting(ended).rows.counted).to.equal(20);
        expect(fs.readdirSync(box.at('moved', 'fixed'))).to.deep.equal([]);
        expect(fs.readFileSync(box.at('input', 'fixed', 'a.csv'), 'utf8')).to.equal(csv(20));
      }
    });

    it('files that cannot be deleted: counted once, told, tried again', async function () {
      box.giveAway();
      box.configure('input: { after: delete }');
      box.put('fixed/a.csv', csv(20));
      fs.chmodSync(box.at('input', 'fixed'), 0o555);
      const first = await withoutRights(this);
      const second = await withoutRights(this);
      expect(lasting(first).rows.counted).to.equal(20);
      expect(lasting(second)).to.deep.equal(lasting(first));
      for (const { code, stderr } of [first, second]) {
        expect(code).to.equal(0);
        expect(stderr).to.contain('could not be deleted: permission denied');
      }
      fs.chmodSync(box.at('input', 'fixed'), 0o777);
      const third = await withoutRights(this);
      expect(lasting(third)).to.deep.equal(lasting(first));
      expect(fs.existsSync(box.at('input', 'fixed', 'a.csv'))).to.equal(false);
    });
  });

  it('a state that another process uses: exit code 1, who has it and what to do, no stack', async () => {
    box.put('a.csv', csv(5));
    const first = box.start([]);
    await first.told(/read to its end/);
    const { code, stderr, stdout } = await box.once();
    expect([code, stdout]).to.deep.equal([1, '']);
    expect(stderr).to.match(
      new RegExp(
        `geoflock: the store in .*state is in use by process ${String(first.child.pid)}: stop it, or`,
      ),
    );
    expect(stderr).to.not.match(/^\s+at /m);
    first.child.kill('SIGTERM');
    expect((await first.ended).code).to.equal(0);
  });

  const wrong: readonly (readonly [string, readonly string[], string | undefined, RegExp])[] = [
    [
      'no input folder',
      ['--input', 'nowhere'],
      undefined,
      /no input folder: .*nowhere does not exist \(choose one with --input DIR\)/,
    ],
    ['an input that is a file', ['--input', 'config/default.yaml'], '', /default\.yaml is not a folder/],
    ['a wrong flag', ['--onse'], undefined, /unknown option '--onse'/],
    ['a wrong value', ['--settle-timeout', 'soon'], undefined, /input\.settleTimeout: "soon"/],
    ['a wrong configuration', [], 'input: { afterwards: keep }', /input\.afterwards/],
    ['move without a folder', [], 'input: { after: move }', /input\.moveTo/],
  ];
  for (const [what, args, yaml, message] of wrong) {
    it(`${what}: exit code 2 and why, nothing on stdout`, async () => {
      if (yaml !== undefined) {
        box.configure(yaml);
      }
      const { code, stderr, stdout } = await box.once(args);
      expect([code, stdout]).to.deep.equal([2, '']);
      expect(stderr).to.match(message);
      expect(stderr).to.not.match(/^\s+at /m);
    });
  }

  for (const [signal, expected] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    it(`${signal} with work in flight: exit code ${String(expected)}, with no further file; the next run goes on`, async () => {
      box.configure('publisher: { transactionBytes: 128KiB }');
      box.put('a.csv', csv(60_000));
      // Long enough that the signal is heard before its end, also when this process is slow to send it.
      box.put('b.csv', csv(300_000));
      const run = box.start(['--once', '--json']);
      await run.told(/"msg":"reading; /);
      run.child.kill(signal);
      const { code, log, stdout } = await run.ended;
      expect([code, stdout]).to.deep.equal([expected, '']);
      expect(log.some(({ file, msg }) => file === 'b.csv' && msg === 'read to its end')).to.equal(false);
      const next = await box.once();
      expect(next.code).to.equal(0);
      expect(lasting(next).files).to.deep.equal({ done: 2, failed: 0 });
      expect(lasting(next).rows).to.deep.equal({ read: 360_000, counted: 360_000, rejected: 0 });
    });
  }

  it('a signal ends the wait for a file that does not come to rest', async () => {
    box.configure('input: { minimumAge: 1h }');
    box.put('young.csv', csv(5), 0);
    box.put('old.csv', csv(5), 2 * 3_600_000);
    const run = box.start(['--once', '--json', '--settle-timeout', '1h']);
    // There is nothing left but to wait.
    await run.told(/"file":"old\.csv".*"msg":"read to its end"/);
    run.child.kill('SIGTERM');
    expect((await run.ended).code).to.equal(143);
  });

  for (const point of ['publish-transaction', 'commit-settle', 'flush-acknowledge'] as const) {
    it(`killed at ${point} with after: move, every row is counted once and the file moved once`, async () => {
      box.configure('input: { after: move, moveTo: moved }');
      box.put('sub/a.csv', csv(30));
      const killed = await box.once([], { GEOFLOCK_FAULT: `${point}:1` });
      expect(killed.code).to.equal(null);
      const next = await box.once();
      expect(next.code).to.equal(0);
      expect(lasting(next).rows).to.deep.equal({ read: 30, counted: 30, rejected: 0 });
      expect(lasting(next).files).to.deep.equal({ done: 1, failed: 0 });
      expect(fs.readdirSync(box.at('moved', 'sub'))).to.deep.equal(['a.csv']);
      expect(fs.readdirSync(box.at('input', 'sub'))).to.deep.equal([]);
    });
  }
});
