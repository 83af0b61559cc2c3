import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import type { CommandName } from '../../../src/admin/commands.ts';
import type { Outcome } from '../../../src/admin/outcome.ts';
import { execute } from '../../../src/cli/execute.ts';
import { within } from '../../support/within.ts';
import { ANSWERS_MS, openDoor, type TestDoor, TOKEN } from '../../doors/http/door.ts';
import { STATUS } from './status.ts';

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process. */
async function geoflock(...args: readonly string[]): Promise<Ended> {
  let [stdout, stderr] = ['', ''];
  const running = execute(args, {
    out: (text) => {
      stdout += text;
    },
    err: (text) => {
      stderr += text;
    },
  });
  const code = await within(ANSWERS_MS, `geoflock ${args.join(' ')}`, running);
  return { code, stdout, stderr };
}

const RESULTS: Readonly<Partial<Record<CommandName, unknown>>> = {
  status: STATUS,
  topology: { replica: 'r', actors: [], links: [], deadLetters: 0 },
  pause: { stage: 'publisher', paused: true },
  resume: { stage: 'publisher', paused: false },
  'run-once': { stage: 'publisher', units: 1, ended: true },
  restart: { actors: ['ingest/publisher'] },
  'connections.list': { connections: STATUS.connections },
  'connections.peek': { connection: STATUS.connections[0], items: [] },
  'connections.empty': { connection: 'files', items: 0, rows: 0, rejected: 0 },
  drain: { rows: STATUS.totals.rows, model: { k: 5, cost: 1 } },
  checkpoint: { nextOffsets: { 0: 5 } },
  'settings.list': { settings: [] },
  set: { key: 'k', value: '7', source: 'run time', takesEffect: 'now' },
  unset: { key: 'k', value: '5', source: 'configuration', takesEffect: 'now' },
  shutdown: { replica: 'r' },
  'files.retry': { files: ['a.csv'] },
};

describe('geoflock asks a running one', () => {
  let door: TestDoor;
  let folder: string;

  beforeEach(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-admin-cli-'));
    door = await openDoor({
      answer: ({ command: { name } }) => ({ status: 'done', result: RESULTS[name] }),
    });
  });

  afterEach(async () => {
    await door.close();
    fs.rmSync(folder, { recursive: true });
  });

  const lines: readonly (readonly [string, CommandName, object])[] = [
    ['status', 'status', {}],
    ['topology', 'topology', {}],
    ['pause publisher', 'pause', { stage: 'publisher' }],
    ['resume publisher', 'resume', { stage: 'publisher' }],
    ['run-once publisher', 'run-once', { stage: 'publisher' }],
    ['restart ingest/publisher', 'restart', { actor: 'ingest/publisher' }],
    ['connections list', 'connections.list', {}],
    ['connections peek files --limit 5', 'connections.peek', { connection: 'files', limit: 5 }],
    ['connections empty a=>b --discard', 'connections.empty', { connection: 'a=>b', discard: true }],
    ['drain', 'drain', {}],
    ['checkpoint', 'checkpoint', {}],
    ['settings', 'settings.list', {}],
    ['set k 7', 'set', { key: 'k', value: '7' }],
    ['unset k', 'unset', { key: 'k' }],
    ['shutdown', 'shutdown', {}],
    ['files retry a.csv', 'files.retry', { path: 'a.csv' }],
  ];
  for (const [line, name, parameters] of lines) {
    it(`by ${line}`, async () => {
      const text = await geoflock(...line.split(' '), '--url', door.url);
      expect(text.code, text.stderr).to.equal(0);
      const [request] = door.requests;
      expect(request).to.deep.include({ door: 'cli', target: 'replica-1' });
      expect(request?.command.name).to.equal(name);
      expect(request?.command.parameters).to.deep.include(parameters);
      expect(text.stdout).to.match(/^[^{\n]/);
      const json = await geoflock(...line.split(' '), '--url', door.url, '--json');
      expect(JSON.parse(json.stdout)).to.deep.equal(RESULTS[name]);
    });
  }

  it('in the name of its user', async () => {
    await geoflock('status', '--url', door.url);
    expect(door.requests[0]?.by).to.equal(`${os.userInfo().username} (cli:127.0.0.1)`);
  });

  it('of another name', async () => {
    expect((await geoflock('status', '--target', 'replica-2', '--url', `${door.url}/`)).code).to.equal(0);
    expect(door.requests[0]?.target).to.equal('replica-2');
  });

  it('at the address of the environment', async () => {
    process.env['GEOFLOCK_ADMIN_URL'] = door.url;
    try {
      expect((await geoflock('status')).code).to.equal(0);
    } finally {
      delete process.env['GEOFLOCK_ADMIN_URL'];
    }
  });

  it('at the configured address', async () => {
    fs.writeFileSync(path.join(folder, 'default.yaml'), `admin: { port: ${String(door.port)} }\n`);
    expect((await geoflock('status', '--config', folder)).code).to.equal(0);
  });

  it('and is told what it refuses', async () => {
    await door.close();
    const error = { code: 'paused', message: 'publisher is paused: resume it first' } as const;
    door = await openDoor({ answer: () => ({ status: 'failed', error }) });
    expect(await geoflock('drain', '--url', door.url)).to.deep.equal({
      code: 1,
      stdout: '',
      stderr: 'geoflock: publisher is paused: resume it first\n',
    });
  });

  it('and takes wrong parameters for a wrong use, without asking', async () => {
    const { code, stderr } = await geoflock('pause', 'sink', '--url', door.url);
    expect(code).to.equal(2);
    expect(stderr).to.match(/^geoflock: pause: stage is "sink": /);
    expect((await geoflock('status', '--url', 'localhost:8470')).code).to.equal(2);
    expect((await geoflock('pause', '--url', door.url)).code).to.equal(2);
    expect(door.requests).to.deep.equal([]);
  });

  it('and tells all answers of all', async () => {
    await door.close();
    const error = { code: 'refused', message: 'it is ending' };
    const replies = [
      { replica: 'a', status: 'done', result: { stage: 'publisher', paused: true } },
      { replica: 'b', status: 'failed', error },
    ];
    door = await openDoor({ answer: () => ({ status: 'done', result: { replies } }) });
    expect(await geoflock('pause', 'publisher', '--target', 'all', '--url', door.url)).to.deep.equal({
      code: 1,
      stdout: 'a:\npublisher is paused\nb:\n',
      stderr: 'geoflock: b: it is ending\n',
    });
    expect(door.requests[0]?.target).to.equal('all');
  });

  describe('with a token', () => {
    beforeEach(async () => {
      await door.close();
      door = await openDoor({
        admin: { token: TOKEN },
        answer: ({ command: { name } }) => ({ status: 'done', result: RESULTS[name] }),
      });
    });

    it('from a file, or from the environment', async () => {
      const file = path.join(folder, 'token');
      fs.writeFileSync(file, `${TOKEN}\n`);
      expect((await geoflock('status', '--url', door.url, '--token-file', file)).code).to.equal(0);
      process.env['GEOFLOCK_ADMIN_TOKEN'] = TOKEN;
      try {
        expect((await geoflock('status', '--url', door.url)).code).to.equal(0);
      } finally {
        delete process.env['GEOFLOCK_ADMIN_TOKEN'];
      }
    });

    it('and tells how to name it where there is none, or another', async () => {
      const none = await geoflock('status', '--url', door.url);
      expect(none.code).to.equal(1);
      expect(none.stderr).to.match(/needs a token: .*--token-file.*GEOFLOCK_ADMIN_TOKEN/);
      const file = path.join(folder, 'token');
      fs.writeFileSync(file, 'another-token-0000');
      const other = await geoflock('status', '--url', door.url, '--token-file', file);
      expect(other.stderr).to.include('does not take this token');
      expect(other.stderr).not.to.include('another-token');
      const missing = await geoflock('status', '--url', door.url, '--token-file', `${file}.none`);
      expect([missing.code, missing.stderr]).to.have.property('0', 2);
      expect(missing.stderr).to.include('--token-file');
    });
  });

  it('and tells where it looked when nothing is there', async () => {
    await door.close();
    const { code, stderr } = await geoflock('status', '--url', door.url);
    expect(code).to.equal(1);
    expect(stderr).to.match(
      /^geoflock: nothing answers at http:\/\/127\.0\.0\.1:\d+ \(.*ECONNREFUSED.*\): start it with/,
    );
    expect(stderr.trim().split('\n')).to.have.length(1);
  });

  it('and tells when there is no answer in time', async () => {
    await door.close();
    door = await openDoor({ answer: () => new Promise<Outcome>(() => undefined), limits: { closeMs: 0 } });
    const { code, stderr } = await geoflock('drain', '--url', door.url, '--timeout', '10ms');
    expect(code).to.equal(1);
    expect(stderr).to.match(
      /has not answered within 10ms \(--timeout\): what was asked for may still be done/,
    );
  });

  it('and is not misled by another program', async () => {
    for (const answer of ['{"hello":1}', 'hello']) {
      const other = net.createServer((socket) => {
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${String(answer.length)}\r\n\r\n${answer}`);
      });
      await new Promise<void>((resolve) => {
        other.listen(0, '127.0.0.1', resolve);
      });
      const { port } = other.address() as net.AddressInfo;
      const { code, stderr, stdout } = await geoflock('status', '--url', `http://127.0.0.1:${String(port)}`);
      expect([code, stdout], stderr).to.deep.equal([1, '']);
      expect(stderr).to.include('form that this version does not know');
      other.close();
    }
  });

  it('and follows its status until it ends', async () => {
    await door.close();
    door = await openDoor({
      limits: { eventsEveryMs: 5 },
      answer: () => ({ status: 'done', result: STATUS }),
    });
    const watching = geoflock('status', '--watch', '--json', '--url', door.url);
    await within(
      ANSWERS_MS,
      'three events',
      (async () => {
        while (door.looks.count < 3) {
          await new Promise((resolve) => {
            setTimeout(resolve, 5);
          });
        }
      })(),
    );
    await door.close();
    const { code, stderr, stdout } = await watching;
    expect([code, stderr]).to.deep.equal([
      1,
      `geoflock: ${door.url} has ended the stream: its process is ending\n`,
    ]);
    const lines = stdout.trim().split('\n');
    expect(lines.length).to.be.at.least(2);
    expect(JSON.parse(lines[0] ?? '')).to.deep.equal(STATUS);
  });
});
