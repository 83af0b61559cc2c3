import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { BASE, PROJECT, useImage } from './image.ts';
import { Lab, until } from './lab.ts';
import { truthOf } from './truth.ts';

const MB = 1_000_000;
const MOST_ADDED_BYTES = 60 * MB;
const GRACE_SECONDS = 30;
/** A container that is being created, on a busy machine too. */
const HAPPENS_WITHIN_MS = 150_000;
const TEST_MS = 900_000;
const FILES = 8;
const ROWS_A_FILE = 100_000;
const DEADLINE_SECONDS = 10;
/** Exit code after SIGABRT, as a shell would say it. */
const ABORTED = 134;

/** Run by node in the image: the texts of licences of each installed package, as paths. */
const LICENCES = `
const { globSync, existsSync } = require('node:fs');
const packages = globSync('node_modules/**/package.json').filter((name) =>
  /node_modules[/](@[^/]+[/])?[^/]+[/]package.json$/.test(name)).map((name) => name.slice(0, -13));
console.log(JSON.stringify(packages.map((name) => [name, globSync(name + '/*').map((file) => file.slice(name.length + 1))])));
`;
const LICENCE = /^(?:licen[cs]e|copying|notice)/i;

/** Run by node in the image: every package that the program names can be loaded. */
const LOAD_ALL = `
const names = Object.keys(require('/app/package.json').dependencies);
// Of this one a file is read.
const loaded = names.filter((name) => name !== 'world-atlas').map((name) => import(name));
Promise.all(loaded).then(() => { require('world-atlas/countries-110m.json'); console.log('all'); process.exit(0); });
`;

describe('the image', function () {
  this.timeout(TEST_MS);
  const image = useImage();
  let data = '';
  let lab: Lab;

  beforeEach(() => {
    data = mkdtempSync(join(tmpdir(), 'geoflock-image-'));
    // The containers' user is not the one of the tests.
    chmodSync(data, 0o777);
    lab = new Lab(image());
  });

  afterEach(async () => {
    await lab.remove();
    rmSync(data, { recursive: true, force: true });
  });

  it('adds less than 60 MB to its base', async () => {
    const { dockerode } = image().client.container;
    const [ours, base] = await Promise.all(
      [image().name, BASE].map((name) => dockerode.getImage(name).inspect()),
    );
    const [layers, under] = [ours?.RootFS.Layers ?? [], base?.RootFS.Layers ?? []];
    expect(layers.slice(0, under.length), 'it begins with the layers of its base').to.deep.equal(under);
    const added = (ours?.Size ?? 0) - (base?.Size ?? 0);
    process.stdout.write(
      `      ${(added / MB).toFixed(1)} MB in ${String(layers.length - under.length)} layers\n`,
    );
    expect(added).to.be.greaterThan(0).and.lessThan(MOST_ADDED_BYTES);
  });

  it('tells what it is, runs as nobody special, and has a health check', async () => {
    const { Config } = await image().client.container.dockerode.getImage(image().name).inspect();
    const { version, license } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as {
      readonly version: string;
      readonly license: string;
    };
    expect(Config.Labels).to.include({
      'org.opencontainers.image.title': 'geoflock',
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.licenses': license,
      'org.opencontainers.image.revision': 'unknown',
    });
    expect(Config.Labels['org.opencontainers.image.description']).to.be.a('string').and.not.empty;
    expect(Config.User).to.equal('1000:1000');
    expect(Config.Healthcheck?.Test?.[0]).to.equal('CMD');
  });

  it('prints the help, has all that the program loads, and the licences of what others wrote', async () => {
    const help = await lab.once({ args: ['--help'], data });
    expect(await help.stdout())
      .to.contain('geoflock')
      .and.to.contain('generate');
    expect(await lab.node(LOAD_ALL)).to.equal('all\n');
    const found = JSON.parse(await lab.node(LICENCES)) as [string, string[]][];
    expect(found.length).to.be.greaterThan(80);
    for (const [name, files] of found) {
      const here = join(PROJECT, name);
      // What is for another machine is not installed here.
      const should = existsSync(here) ? readdirSync(here).filter((file) => LICENCE.test(file)) : [];
      expect(files, name).to.include.members(should);
    }
    expect(found.map(([name]) => name)).to.not.include('node_modules/typescript');
  });

  it('generates files until it is stopped, as the generator that it replaces', async () => {
    const generator = await lab.start({ args: ['generate', '/data', '20'], data });
    await until(
      'a file',
      HAPPENS_WITHIN_MS,
      () => Promise.resolve(truthOf(data)),
      ({ files }) => files > 0,
    );
    const { code, ms } = await generator.stop(GRACE_SECONDS);
    expect(code, 'exit code').to.be.oneOf([0, 143]);
    expect(ms).to.be.lessThan(GRACE_SECONDS * 1000);
    const { files, rows } = truthOf(data);
    // A file that it was in the middle of has its header alone.
    expect([20 * files, 20 * (files - 1)]).to.include(rows);
  });

  it('ends when its event loop does not turn any more, although it is all alone in its container', async () => {
    const block = `import { isMainThread } from 'node:worker_threads';
      import { existsSync } from 'node:fs';
      if (isMainThread && process.argv.includes('run')) setInterval(() => { while (existsSync('/data/block')); }, 100);`;
    const environment = {
      GEOFLOCK_HEALTH_EVENT_LOOP_LIMIT: '2s',
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(block)}`,
    };
    const stuck = await lab.start({ args: ['run'], data, environment }, /"msg":"watching;/);
    // Whoever watches the event loop does so by then.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    writeFileSync(join(data, 'block'), '');
    const code = await until(
      'the end',
      HAPPENS_WITHIN_MS,
      () => stuck.exitCode(),
      (ended) => ended !== undefined,
    );
    expect(code).to.equal(ABORTED);
    expect(await stuck.stderr()).to.contain('the event loop has not turned for');
  });

  it('becomes healthy, and ends in time under load, with a last checkpoint and exit code 0', async () => {
    const geoflock = await lab.start({
      args: ['run'],
      data,
      environment: {
        // So that what is counted is of the last checkpoint.
        GEOFLOCK_CHECKPOINT_EVERY: '1h',
        // Slow, and with few rows on their way: what is in the last checkpoint is soon written.
        GEOFLOCK_PUBLISHER_LINES_PER_MESSAGE: '1',
        GEOFLOCK_CONNECTIONS_ROWS_ROWS: '20000',
        GEOFLOCK_CHECKPOINT_ROWS: '1000000000',
        // Too short for what is there.
        GEOFLOCK_SHUTDOWN_DEADLINE: `${String(DEADLINE_SECONDS)}s`,
      },
    });
    await until(
      'health',
      HAPPENS_WITHIN_MS,
      () => geoflock.health(),
      (health) => health === 'healthy',
    );
    expect(await geoflock.run('geoflock', 'status'), 'the command in the container').to.contain('publisher');
    await lab.once({
      args: ['generate', '/data', String(ROWS_A_FILE), '--files', String(FILES)],
      data,
    });
    const truth = truthOf(data);
    expect(truth).to.deep.equal({ files: FILES, rows: FILES * ROWS_A_FILE });
    const parsed = /^geoflock_partition_rows_parsed_total\{[^}]*\} (\d+)$/gm;
    await until(
      'rows on their way',
      HAPPENS_WITHIN_MS,
      async () => [...(await geoflock.text('/metrics')).matchAll(parsed)].map((match) => Number(match[1])),
      (rows) => rows.some((one) => one > 0),
    );
    expect((await geoflock.status()).totals.rows.counted, 'no checkpoint yet').to.equal(0);
    const { code, ms, outOfMemory } = await geoflock.stop(GRACE_SECONDS);
    const state = { data, stateOf: geoflock.id };
    const saved = await lab.once({ args: ['models', 'show', '--json'], ...state });
    const { weight } = JSON.parse(await saved.stdout()) as { readonly weight: number };
    process.stdout.write(
      `      stopped in ${(ms / 1000).toFixed(1)} s with code ${String(code)}, ` +
        `${String(weight)} of ${String(truth.rows)} rows in the last checkpoint\n`,
    );
    expect(weight).to.be.greaterThan(0).and.lessThan(truth.rows);
    expect(outOfMemory).to.be.false;
    expect(ms).to.be.lessThan(GRACE_SECONDS * 1000);
    expect(code, await geoflock.stderr()).to.equal(0);
    const rest = await lab.once({ args: ['run', '--once', '--json'], ...state });
    const result = JSON.parse(await rest.stdout()) as {
      readonly rows: object;
      readonly model: { readonly weight: number };
    };
    expect(result.rows).to.deep.equal({ read: truth.rows, counted: truth.rows, rejected: 0 });
    expect(result.model.weight).to.equal(truth.rows);
  });
});
