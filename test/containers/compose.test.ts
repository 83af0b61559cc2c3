import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { cannotRun } from '../support/cannot-run.ts';
import { freePort } from '../support/free-port.ts';
import { randomName } from '../support/random-name.ts';
import { BUILT_WITHIN_MS, PROJECT } from './image.ts';
import { type Status, until } from './lab.ts';
import { differences, type Truth } from './truth.ts';

const run = promisify(execFile);
const TOKEN = 'a-token-of-this-test';
/** For what waits until all before it is healthy, on a busy machine. */
const UP_WITHIN_MS = 300_000;
const DOWN_WITHIN_MS = 180_000;
const TEST_MS = 1_800_000;

/** Run by node in a container, where the files are: how many there are, and their lines without the headers. */
const COUNT = `
const { readdirSync, readFileSync } = require('node:fs');
const names = readdirSync('/data').filter((name) => name.endsWith('.csv') && !name.startsWith('.'));
const lines = names.map((name) => readFileSync('/data/' + name, 'latin1').split('\\n').length - 2);
console.log(JSON.stringify({ files: names.length, rows: lines.reduce((sum, one) => sum + one, 0) }));
`;

describe('docker compose up', function () {
  this.timeout(TEST_MS);
  const project = randomName();
  const image = `localhost/geoflock-${project}:test`;
  const environment: Record<string, string> = {};
  const folder = mkdtempSync(join(tmpdir(), 'geoflock-compose-'));
  const labels = join(folder, 'labels.json');

  const compose = async (withinMs: number, ...args: readonly string[]): Promise<string> => {
    const files = ['docker-compose.yml', labels].flatMap((file) => ['-f', file]);
    const { stdout } = await run('docker', ['compose', '-p', project, ...files, ...args], {
      cwd: PROJECT,
      env: { ...process.env, ...environment },
      timeout: withinMs,
      maxBuffer: 64 * 1024 * 1024,
    });
    return stdout;
  };
  const up = (): Promise<string> => compose(BUILT_WITHIN_MS + UP_WITHIN_MS, 'up', '-d');
  const get = async (variable: string, path: string): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${environment[variable] ?? ''}${path}`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    const text = await answer.text();
    expect(answer.ok, text).to.be.true;
    return text;
  };
  const status = async (variable = 'GEOFLOCK_PORT'): Promise<Status> =>
    JSON.parse(await get(variable, '/api/v1/status')) as Status;

  const clusters = async (): Promise<readonly unknown[]> => {
    const model = JSON.parse(await get('GEOFLOCK_PORT', '/api/v1/models/latest')) as {
      readonly detail: { readonly clusters: readonly unknown[] };
    };
    return model.detail.clusters;
  };

  before('find docker compose', async function () {
    try {
      await run('docker', ['compose', 'version']);
      await run('docker', ['version']);
    } catch (error) {
      cannotRun(this, `no docker compose: ${String(error)}`, error);
    }
    Object.assign(environment, {
      GEOFLOCK_IMAGE: image,
      GEOFLOCK_ADMIN_TOKEN: TOKEN,
      GENERATOR_EVERY: '1s',
    });
    writeFileSync(labels, JSON.stringify(await labelled()));
    for (const name of ['GEOFLOCK_PORT', 'GEOFLOCK_2_PORT', 'KAFKA_PORT', 'STATSD_EXPORTER_PORT']) {
      environment[name] = String(await freePort());
    }
  });

  after('remove all of it', async function () {
    this.timeout(2 * DOWN_WITHIN_MS);
    if ('GEOFLOCK_IMAGE' in environment) {
      await compose(DOWN_WITHIN_MS, 'down', '--volumes', '--timeout', '0');
      await run('docker', ['image', 'rm', '--force', image]);
    }
    rmSync(folder, { recursive: true });
  });

  it('ends with clusters at the API and metrics at the exporter; after down, up goes on where it stopped', async () => {
    await up();
    const first = await until('rows', UP_WITHIN_MS, status, (now) => now.totals.rows.counted > 0);
    await until('clusters', UP_WITHIN_MS, clusters, (now) => now.length > 0);
    const second = (): Promise<Status> => status('GEOFLOCK_2_PORT');
    await until('rows at the second', UP_WITHIN_MS, second, (now) => now.totals.rows.counted > 0);
    await until(
      'metrics of both',
      UP_WITHIN_MS,
      () => get('STATSD_EXPORTER_PORT', '/metrics'),
      (text) => ['geoflock-1', 'geoflock-2'].every((replica) => text.includes(`replica="${replica}"`)),
    );
    expect(await compose(UP_WITHIN_MS, 'exec', '-T', 'geoflock-1', 'geoflock', 'status')).to.contain(
      'publisher',
    );

    await compose(DOWN_WITHIN_MS, 'down');
    await up();
    const later = await until('the API', UP_WITHIN_MS, status, () => true);
    expect(later.totals.rows.counted).to.be.at.least(first.totals.rows.counted);
    expect(later.totals.files.done).to.be.at.least(first.totals.files.done);
    await until(
      'more rows',
      UP_WITHIN_MS,
      status,
      (now) => now.totals.rows.counted > later.totals.rows.counted,
    );

    await compose(DOWN_WITHIN_MS, 'stop', 'generator');
    const truth = JSON.parse(
      await compose(UP_WITHIN_MS, 'exec', '-T', 'geoflock-2', 'node', '-e', COUNT),
    ) as Truth;
    // Each time that it was stopped it may have been in the middle of a file, which has its header alone then.
    const whole = truth.rows / 200;
    expect(whole).to.be.within(truth.files - 2, truth.files);
    expect(Number.isInteger(whole)).to.equal(true);
    const end = await until('the truth', UP_WITHIN_MS, status, (now) => differences(now, truth).length === 0);
    process.stdout.write(
      `      ${String(first.totals.rows.counted)} rows at first, ${String(later.totals.rows.counted)} after down and up, ` +
        `${String(end.totals.rows.counted)} at the end\n`,
    );
    expect(differences(end, { ...truth, rows: truth.rows + 1 })).to.have.length(3);
  });
});

/** With these labels on all, testcontainers' reaper removes what a run that was killed leaves. */
async function labelled(): Promise<object> {
  const { getContainerRuntimeClient, getReaper, LABEL_TESTCONTAINERS_SESSION_ID } = await import(
    'testcontainers'
  );
  const { sessionId } = await getReaper(await getContainerRuntimeClient());
  const labels = { [LABEL_TESTCONTAINERS_SESSION_ID]: sessionId };
  const each = (...names: readonly string[]): object =>
    Object.fromEntries(names.map((name) => [name, { labels }]));
  return {
    services: each('kafka', 'statsd-exporter', 'geoflock-1', 'geoflock-2', 'generator'),
    volumes: each('input', 'kafka', 'geoflock-1', 'geoflock-2'),
    networks: each('default'),
  };
}
