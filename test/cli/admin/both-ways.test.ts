import { expect } from 'chai';
import { freePort } from '../../support/free-port.ts';
import { COMMANDS_MS, type Ended, Sandbox, type Started } from '../run/sandbox.ts';

const HEADER = 'timepoint,deviceId,acceloX,acceloY,acceloZ,longitude,latitude,locked\n';
const ROW = '2026-01-01 00:00:00.000,phone,0,0,9.81,13.4,52.5,1\n';
const OTHER = '2026-01-01 00:00:01.000,phone,0,0,9.81,-70.6,-33.4,1\n';
const BAD = '2026-01-01 00:00:02.000,phone,0,0,9.81,13.4,152.5,1\n';

/** What looks at the state, and prints the same whoever has it. */
const LOOKS: readonly (readonly string[])[] = [
  ['files'],
  ['files', '--json'],
  ['files', 'list', '--json'],
  ['rejected', 'list'],
  ['rejected', 'list', '--json', '--limit', '1'],
  ['rejected', 'list', '--reason', 'future'],
  ['rejected', 'list', '--file', 'a.csv', '--all'],
  ['models', 'list'],
  ['models', 'list', '--json'],
  ['models', 'history'],
  ['models', 'history', '--json'],
  ['predict', '55', '45'],
  ['predict', '55', '45', '--json'],
  ['export', '--format', 'csv'],
];

describe('what a Geoflock keeps', function () {
  this.timeout(2 * COMMANDS_MS);
  let box: Sandbox;
  let running: Started;
  let url: string;
  let port: number;

  before(async () => {
    box = new Sandbox();
    port = await freePort();
    box.put('a.csv', HEADER + ROW.repeat(3) + OTHER + BAD);
    box.put('sub/b.csv', HEADER + BAD + ROW);
    const once = await box.start(['--once']).ended;
    expect(once.code, once.stderr).to.equal(0);
    box.configure(`admin: { port: ${String(port)} }\n`);
  });

  after(async () => {
    await box.remove();
  });

  async function run(): Promise<void> {
    running = box.start([], { GEOFLOCK_ADMIN_PORT: '' });
    url = await running.url();
  }

  async function stop(): Promise<void> {
    running.child.kill('SIGTERM');
    await running.ended;
  }

  const through = (args: readonly string[]): Promise<Ended> => box.ask([...args, '--url', url]);
  /** Without an address: the one of the configuration. */
  const locked = (args: readonly string[]): Promise<Ended> => box.ask(args, { GEOFLOCK_ADMIN_PORT: '' });

  it('is told in the same words by the process that has it, and without one', async () => {
    await run();
    const before = new Map<string, Ended>();
    for (const args of LOOKS) {
      before.set(args.join(' '), await through(args));
    }
    for (const args of [LOOKS[0], LOOKS[3]] as (readonly string[])[]) {
      const { code, stderr, stdout } = await locked(args);
      const named = before.get(args.join(' '));
      expect([code, stdout], stderr).to.deep.equal([named?.code, named?.stdout]);
    }
    const [id = ''] = (before.get('rejected list')?.stdout ?? '').split('\t');
    const shown = await through(['rejected', 'show', id, 'none:1']);
    const file = await through(['files', 'show', 'sub/b.csv']);
    await stop();
    for (const args of LOOKS) {
      const { code, stderr, stdout } = await box.ask(args);
      const other = before.get(args.join(' '));
      // Models that were published after it was asked are behind those before.
      const told = args[0] === 'models' ? stdout.slice(0, other?.stdout.length) : stdout;
      expect([code, told], `${args.join(' ')}: ${stderr} ${other?.stderr ?? ''}`).to.deep.equal([
        other?.code,
        other?.stdout,
      ]);
      if (args[0] !== 'models') {
        expect(stderr).to.equal(other?.stderr);
      }
    }
    const alone = await box.ask(['rejected', 'show', id, 'none:1']);
    expect([alone.code, alone.stdout, alone.stderr]).to.deep.equal([shown.code, shown.stdout, shown.stderr]);
    expect(alone.stdout).to.include('latitude 152.5');
    const fileAlone = await box.ask(['files', 'show', 'sub/b.csv']);
    const withoutLog = file.stdout
      .split('\n')
      .filter((line) => !line.startsWith('log '))
      .join('\n');
    expect(fileAlone.stdout).to.equal(withoutLog);
  });

  it('is changed through the process that has it', async () => {
    await run();
    const [id = ''] = (await locked(['rejected', 'list'])).stdout.split('\t');
    const kept = await locked(['rejected', 'redrive', id]);
    expect([kept.code, kept.stdout]).to.deep.equal([
      1,
      `${id} stays rejected: latitude 152.5 is out of range [-90, 90]; is source.columns right?\n` +
        '0 redriven, 1 stay rejected\n',
    ]);
    const sent = await locked(['rejected', 'redrive', id, '--row', ROW.trim(), '--json']);
    expect(JSON.parse(sent.stdout), sent.stderr).to.deep.equal({
      redriven: 1,
      already: 0,
      stillRejected: [],
    });
    const again = await through(['rejected', 'redrive', id]);
    expect([again.code, again.stdout]).to.deep.equal([0, '0 redriven, 1 had been redriven before\n']);
    const rewound = await locked(['rewind', '--to-offset', 'earliest']);
    expect(rewound.code, rewound.stderr).to.equal(0);
    expect(rewound.stdout).to.match(/^partition {3}counted up to {5}again from\n/);
    expect(rewound.stdout).to.include(
      'rewind 1: all summaries are dropped and made anew; the running replicas apply it now',
    );
    await stop();
  });

  it('is not looked for in another process', async () => {
    await run();
    const other = new Sandbox();
    try {
      other.configure(`admin: { port: ${String(port)} }\n`);
      const holder = other.start([], { GEOFLOCK_ADMIN_PORT: '0' });
      await holder.url();
      const { code, stderr, stdout } = await other.ask(['files'], { GEOFLOCK_ADMIN_PORT: '' });
      expect([code, stdout]).to.deep.equal([1, '']);
      expect(stderr).to.match(/^geoflock: the store in .* is in use by process \d+/);
    } finally {
      await other.remove();
      await stop();
    }
  });
});
