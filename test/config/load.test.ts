import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { load as parseYaml } from 'js-yaml';
import { z } from 'zod';
import { configurationJson, configurationTable } from '../../src/config/describe.ts';
import { ConfigurationError } from '../../src/config/errors.ts';
import { count, keyFacts } from '../../src/config/fields.ts';
import { knownKeys, nearestKey } from '../../src/config/keys.ts';
import {
  type LoadedConfiguration,
  loadConfiguration,
  type LoadOptions,
  resolve,
} from '../../src/config/load.ts';
import { configurationSchema } from '../../src/config/schema.ts';
import { leaves, type Tree } from '../../src/config/tree.ts';

const PACKAGE_CONFIG = path.resolve(import.meta.dirname, '../../config');

describe('loadConfiguration', () => {
  let folder: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-config-'));
  });

  afterEach(() => {
    fs.rmSync(folder, { recursive: true });
  });

  function put(file: string, content: string): void {
    fs.writeFileSync(path.join(folder, file), content);
  }

  function load(options: LoadOptions = {}): LoadedConfiguration {
    return loadConfiguration({ directory: folder, environment: {}, ...options });
  }

  function problems(options: LoadOptions = {}): readonly string[] {
    try {
      load(options);
    } catch (error) {
      if (error instanceof ConfigurationError) {
        return error.problems;
      }
      throw error;
    }
    throw new Error('the configuration was accepted');
  }

  function sourceOf(loaded: LoadedConfiguration, key: string): string | undefined {
    return loaded.entries.find((entry) => entry.key === key)?.source;
  }

  it('resolves the defaults to numbers and absolute folders', () => {
    const { configuration } = loadConfiguration({ environment: {} });
    expect(configuration.input.directory).to.equal(path.resolve('data/input'));
    expect(configuration.input.moveTo).to.equal(null);
    expect(configuration.input.settleTimeout).to.equal(60_000);
    expect(configuration.sample.every).to.equal(null);
    expect(configuration.connections.rows).to.deep.equal({ rows: 262_144, bytes: 33_554_432 });
    expect(configuration.source).to.deep.include({ columns: {}, timezone: 0, maxLineBytes: 65_536 });
    expect(configuration.supervision).to.deep.equal({
      restarts: 10,
      window: 60_000,
      initialBackoff: 50,
      maxBackoff: 5000,
      jitter: 0.5,
    });
  });

  it('matches whole file names with the default filter, as NiFi does', () => {
    const { filter } = loadConfiguration({ environment: {} }).configuration.input;
    const names = [
      'a.csv',
      'mobile_data_1.csv',
      'xcsv',
      '.hidden.csv',
      'a.csv.gz',
      'a.txt',
      '1csv',
      'ab.csv',
    ];
    expect(names.filter((name) => filter.test(name))).to.deep.equal(['a.csv', 'mobile_data_1.csv', 'ab.csv']);
  });

  it('freezes what it returns', () => {
    const { configuration } = loadConfiguration({ environment: {} });
    expect(() => {
      (configuration.clustering as { k: number }).k = 7;
    }).to.throw(TypeError);
  });

  it('lets files, then the deployment file, local, environment and flags win, and names each source', () => {
    const keys = ['topics.partitions', 'clustering.k', 'clustering.seed', 'log.level', 'model.every'];
    put(
      'default.yaml',
      'topics: {partitions: 1}\nclustering: {k: 1, seed: 1}\nlog: {level: warn}\nmodel: {every: 1s}',
    );
    put(
      'production.json',
      '{"clustering": {"k": 2, "seed": 2}, "log": {"level": "error"}, "model": {"every": "2s"}}',
    );
    put('local.yml', 'clustering: {seed: 3}\nlog: {level: debug}\nmodel: {every: 3s}');
    const loaded = load({
      environment: { NODE_ENV: 'production', GEOFLOCK_LOG_LEVEL: 'silent', GEOFLOCK_MODEL_EVERY: '4s' },
      flags: [{ flag: '--model-every', key: 'model.every', value: '5s' }],
    });
    const { topics, clustering, log, model } = loaded.configuration;
    expect([topics.partitions, clustering.k, clustering.seed, log.level, model.every]).to.deep.equal([
      1,
      2,
      3,
      'silent',
      5000,
    ]);
    expect(keys.map((key) => sourceOf(loaded, key))).to.deep.equal([
      path.join(folder, 'default.yaml'),
      path.join(folder, 'production.json'),
      path.join(folder, 'local.yml'),
      'environment variable GEOFLOCK_LOG_LEVEL',
      'flag --model-every',
    ]);
    expect(sourceOf(loaded, 'regions.level')).to.equal(path.join(PACKAGE_CONFIG, 'default.yaml'));
  });

  it('reads a variable mapping of the user, also with a whole group in one variable', () => {
    put(
      'custom-environment-variables.yaml',
      'clustering: {__name: MY_CLUSTERING, __format: json}\nlog: {level: MY_LEVEL}',
    );
    const environment = { MY_CLUSTERING: '{"k": 9}', MY_LEVEL: 'error' };
    const loaded = load({ environment });
    expect(loaded.configuration.clustering.k).to.equal(9);
    expect(sourceOf(loaded, 'clustering.k')).to.equal('environment variable MY_CLUSTERING');
    expect(loaded.configuration.log.level).to.equal('error');
    expect(problems({ environment: { MY_CLUSTERING: '{' } })[0]).to.match(
      /^MY_CLUSTERING: cannot be parsed as json/,
    );
  });

  it("does not read the working directory's config folder nor NODE_CONFIG variables", () => {
    const before = process.cwd();
    fs.mkdirSync(path.join(folder, 'config'));
    put('config/default.yaml', 'server: {port: 80}');
    process.chdir(folder);
    try {
      const environment = { NODE_CONFIG: '{"port": 1}', NODE_CONFIG_DIR: path.join(folder, 'config') };
      const { configuration } = loadConfiguration({ environment });
      expect(configuration.clustering.k).to.equal(5);
      expect(configuration.state.directory).to.equal(path.join(fs.realpathSync(folder), 'data/state'));
    } finally {
      process.chdir(before);
    }
  });

  it('names all wrong keys at once, with value, source and what was expected', () => {
    put('default.yaml', 'clustering: {k: 0}\ninput: {minimumAge: 60, aftr: move}\nscanEvery: 3s\nmystery: 1');
    const file = path.join(folder, 'default.yaml');
    expect(problems({ environment: { GEOFLOCK_SOURCE_TIMEZONE: 'Europe/Berlin' } })).to.have.members([
      `clustering.k: 0 (${file}): expected a whole number from 1 to 10000`,
      `input.minimumAge: 60 (${file}): expected a duration with its unit, such as 500ms, 60s, 5m, 2h or 7d`,
      `input.aftr (${file}): unknown key; did you mean input.after?`,
      `scanEvery (${file}): unknown key; did you mean input.scanEvery?`,
      `mystery (${file}): unknown key`,
      'source.timezone: "Europe/Berlin" (environment variable GEOFLOCK_SOURCE_TIMEZONE): expected UTC or a fixed offset such as +02:00 (names such as Europe/Berlin are not supported, because their offset changes with the date)',
    ]);
  });

  const refused: readonly (readonly [string, RegExp])[] = [
    ['input: 5', /^input: 5 .*expected a group of keys/],
    ['input: {after: move}', /^input.moveTo: null .*because input.after is move/],
    ['input: {after: move, directory: /in, moveTo: /in/done}', /^input.moveTo: .*outside of input.directory/],
    ['input: {filter: "["}', /^input.filter: "\[" .*regular expression/],
    ['input: {recursive: 1}', /^input.recursive: 1 .*true or false/],
    ['input: {directory: ""}', /^input.directory: "" .*path of a folder/],
    [
      'input: {scanEvery: 30d}',
      /^input.scanEvery: "30d" .*a duration from 50ms to|^input.scanEvery: "30d" .*50ms/,
    ],
    [
      'publisher: {transactionBytes: 8KiB}',
      /^publisher.transactionBytes: "8KiB" .*more than source.maxLineBytes \(65536/,
    ],
    ['connections: {rows: {bytes: 100}}', /^connections.rows.bytes: 100 .*so that a line fits/],
    ['memory: {budget: 1KiB}', /^memory.budget: "1KiB" .*so that a line fits/],
    ['clustering: {k: 50, features: 20}', /^clustering.features: 20 .*at least clustering.k \(50\)/],
    [
      'supervision: {initialBackoff: 6s}',
      /^supervision.maxBackoff: "5s" .*at least supervision.initialBackoff/,
    ],
    ['supervision: {jitter: 2}', /^supervision.jitter: 2 .*from 0 to 1/],
    [
      'source: {columns: {longitude: 5, latitude: 5}}',
      /^source.columns.latitude: 5 .*another column than source.columns.longitude/,
    ],
    ['source: {columns: {longitude: -1}}', /^source.columns.longitude: -1 .*name of a column/],
    [
      'source: {columns: {longitud: 5}}',
      /^source.columns.longitud .*did you mean source.columns.longitude\?/,
    ],
    ['broker: {kind: kafka}', /^broker.kind: "kafka" .*expected embedded/],
    ['sample: {every: 5}', /^sample.every: 5 .*expected off, or a duration/],
    ['topics: {rows: "a b"}', /^topics.rows: "a b" .*a name of letters/],
    ['log: {level: loud}', /^log.level: "loud" .*one of debug, info/],
    ['- a\n- b', /Cannot parse config file: '.*default.yaml': .*expected groups of keys/],
    ['a: 1\na: 2', /Cannot parse config file: .*duplicated mapping key/],
  ];
  for (const [content, expected] of refused) {
    it(`refuses ${JSON.stringify(content)}`, () => {
      put('default.yaml', content);
      const found = problems();
      expect(found).to.have.length(1);
      expect(found[0]).to.match(expected);
    });
  }

  it('refuses a folder that is not there', () => {
    expect(problems({ directory: path.join(folder, 'none') })[0]).to.match(
      /^--config ".*none": expected a readable folder/,
    );
  });

  it('accepts an empty file and a group whose keys are all commented out', () => {
    put('default.yaml', '');
    put('local.yaml', 'log:\n  # level: debug\n');
    expect(load().configuration.log.level).to.equal('info');
  });

  it('reads columns by name and by index, and text from the environment as numbers', () => {
    put('default.yaml', 'source: {columns: {longitude: lon, latitude: 3}}\nsample: {every: 10s}');
    const { configuration } = load({ environment: { GEOFLOCK_SOURCE_COLUMNS_TIMEPOINT: '0' } });
    expect(configuration.source.columns).to.deep.equal({ timepoint: 0, longitude: 'lon', latitude: 3 });
    expect(configuration.sample.every).to.equal(10_000);
  });

  it('has an environment variable for every key, named after it', () => {
    const mapping = parseYaml(
      fs.readFileSync(path.join(PACKAGE_CONFIG, 'custom-environment-variables.yaml'), 'utf8'),
    ) as Tree;
    const mapped = [...leaves(mapping)].map(([at, variable]) => [at.join('.'), variable]);
    const systematic = [...knownKeys(configurationSchema).leaves.keys()].map((key) => [
      key,
      `GEOFLOCK_${key
        .replace(/([A-Z])/g, '_$1')
        .replaceAll('.', '_')
        .toUpperCase()}`,
    ]);
    expect(mapped).to.have.deep.members(systematic);
  });

  it('has a default and a comment for every key', () => {
    const content = fs.readFileSync(path.join(PACKAGE_CONFIG, 'default.yaml'), 'utf8');
    const defaults = [...leaves(parseYaml(content) as Tree)].map(([at]) => at.join('.'));
    const keys = [...knownKeys(configurationSchema).leaves.keys()];
    expect(defaults).to.have.members(keys.filter((key) => !key.startsWith('source.columns.')));
    const lines = content.split('\n');
    // Within a group that has a comment, rows and bytes or bytes and age speak for themselves.
    const bare = lines.filter(
      (line, index) => /^ +\w+: \S/.test(line) && !/^ *#/.test(lines[index - 1] ?? ''),
    );
    expect(bare.map((line) => line.trim().split(':')[0])).to.deep.equal(
      'bytes age bytes age rows bytes rows bytes bytes restarts window initialBackoff maxBackoff'.split(' '),
    );
  });
});

describe('secrets', () => {
  const token = z.string().min(8).register(keyFacts, { expects: 'at least 8 characters', secret: true });
  const schema = z.strictObject({ admin: z.strictObject({ token, port: count({ max: 65_535 }) }) });
  const source = (values: Tree): { values: Tree; describe(): string } => ({
    values,
    describe: () => 'a test',
  });

  it('are hidden in the printed configuration, not from the program', () => {
    const { value, entries } = resolve(schema, [source({ admin: { token: 'open sesame', port: 80 } })]);
    expect(value.admin.token).to.equal('open sesame');
    const printed = configurationTable(entries) + configurationJson(entries);
    expect(printed).to.include('(hidden)').and.to.include('80').and.not.to.include('sesame');
  });

  it('are hidden in errors', () => {
    expect(() => resolve(schema, [source({ admin: { token: 'sesame', port: 80 } })])).to.throw(
      ConfigurationError,
      /admin\.token: \(hidden\) \(a test\): expected at least 8 characters/,
    );
  });

  it('that are missing are named', () => {
    expect(() => resolve(schema, [source({ admin: { port: 80 } })])).to.throw(
      /admin\.token: missing, expected at least 8/,
    );
  });
});

describe('nearestKey', () => {
  const known = knownKeys(configurationSchema).all;
  const cases: readonly (readonly [string, string | undefined])[] = [
    ['inputs', 'input'],
    ['input.Directory', 'input.directory'],
    ['clustering.featurs', 'clustering.features'],
    ['settleTimeout', 'input.settleTimeout'],
    ['input.zzzzzz', undefined],
  ];
  for (const [key, meant] of cases) {
    it(`takes ${key} for ${String(meant)}`, () => {
      expect(nearestKey(key, known)).to.equal(meant);
    });
  }
});

describe('printing the configuration', () => {
  const { entries } = loadConfiguration({
    environment: { GEOFLOCK_TOPICS_PREFIX: '', GEOFLOCK_CLUSTERING_K: '7' },
  });

  it('prints key, value and source, a line each', () => {
    const lines = configurationTable(entries).trimEnd().split('\n');
    expect(lines).to.have.length(entries.length);
    expect(lines.find((line) => line.startsWith('clustering.k '))).to.match(
      /^clustering\.k +7 +environment variable GEOFLOCK_CLUSTERING_K$/,
    );
    expect(lines.find((line) => line.startsWith('input.settleTimeout'))).to.match(/ 60s .*default\.yaml$/);
    expect(lines.find((line) => line.startsWith('input.directory'))).to.include(path.resolve('data/input'));
  });

  it('prints nested JSON with the value in use', () => {
    const json = JSON.parse(configurationJson(entries)) as { input: { settleTimeout: unknown } };
    expect(json.input.settleTimeout).to.deep.equal({
      value: 60_000,
      written: '60s',
      source: path.join(PACKAGE_CONFIG, 'default.yaml'),
    });
  });
});
