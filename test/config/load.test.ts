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

  it('lets what a command has as its own defaults win over those of the package, and over nothing else', () => {
    const commandDefaults = [
      { flag: 'geoflock demo', key: 'clustering.k', value: '12' },
      { flag: 'geoflock demo', key: 'clustering.seed', value: '9' },
    ];
    const loaded = load({ commandDefaults, environment: { GEOFLOCK_CLUSTERING_SEED: '3' } });
    const { k, seed } = loaded.configuration.clustering;
    expect([k, seed]).to.deep.equal([12, 3]);
    put('default.yaml', 'clustering: {k: 1}');
    expect(load({ commandDefaults, environment: {} }).configuration.clustering.k).to.equal(1);
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
      `clustering.k: 0 (${file}): expected auto, or a whole number from 1 to 10000`,
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
    ['clustering: {algorithm: lloyd}', /^clustering.algorithm: "lloyd" .*one of summary, streaming-kmeans/],
    [
      'clustering: {algorithm: streaming-kmeans, halfLife: 2h}',
      /^clustering.halfLife: "2h" .*expected off, because clustering.algorithm is streaming-kmeans, .*streamingKMeans\.halfLife/,
    ],
    [
      'clustering: {algorithm: streaming-kmeans, window: 2h}',
      /^clustering.window: "2h" .*expected off, because clustering.algorithm is streaming-kmeans/,
    ],
    [
      'clustering: {algorithm: streaming-kmeans, streamingKMeans: {decayFactor: 1, halfLife: 5}}',
      /^clustering.streamingKMeans.halfLife: 5 .*expected nothing, because clustering.streamingKMeans.decayFactor is set/,
    ],
    [
      'clustering: {algorithm: streaming-kmeans, streamingKMeans: {centers: [[1, 2]]}}',
      /^clustering.streamingKMeans.centers: \[\[1,2\]\] .*expected nothing, because .*initialCenters is data/,
    ],
    [
      'clustering: {algorithm: streaming-kmeans, streamingKMeans: {initialCenters: random, weights: [1]}}',
      /^clustering.streamingKMeans.weights: \[1\] .*expected nothing, because .*initialCenters is random/,
    ],
    [
      'clustering: {algorithm: streaming-kmeans, streamingKMeans: {initialCenters: given}}',
      /^clustering.streamingKMeans.centers: \[\] .*expected at least one \[longitude, latitude\]/,
    ],
    [
      'clustering: {algorithm: streaming-kmeans, streamingKMeans: {initialCenters: given, k: 2, centers: [[1, 2]]}}',
      /^clustering.streamingKMeans.centers: .*expected as many as clustering.streamingKMeans.k \(2\)/,
    ],
    [
      'clustering: {algorithm: streaming-kmeans, streamingKMeans: {initialCenters: given, centers: [[1, 2]], weights: [1, 2]}}',
      /^clustering.streamingKMeans.weights: .*expected nothing, or as many as .*centers \(1\)/,
    ],
    [
      `clustering: {algorithm: streaming-kmeans, streamingKMeans: {initialCenters: given, centers: [${'[1,2],'.repeat(1001)}]}}`,
      /^clustering.streamingKMeans.centers: .*expected at most 1000/,
    ],
    [
      'clustering: {algorithm: streaming-kmeans, k: 1001, features: 2000}',
      /^clustering.streamingKMeans.k: "auto" .*expected a number up to 1000, because auto is clustering.k \(1001\)/,
    ],
    [
      'clustering: {streamingKMeans: {decayFactor: 1.5}}',
      /decayFactor: 1.5 .*a number from 0 to 1, or nothing/,
    ],
    ['clustering: {streamingKMeans: {halfLife: 0}}', /halfLife: 0 .*a number above 0, or nothing/],
    ['clustering: {streamingKMeans: {batchRows: 10001}}', /batchRows: 10001 .*from 1 to 10000/],
    ['clustering: {streamingKMeans: {timeUnit: rows}}', /timeUnit: "rows" .*one of batches, points/],
    [
      'clustering: {streamingKMeans: {centers: [[181, 0]]}}',
      /centers: \[\[181,0\]\] .*\[longitude, latitude\]/,
    ],
    ['clustering: {streamingKMeans: {centers: [[1]]}}', /centers: \[\[1\]\] .*\[longitude, latitude\]/],
    ['clustering: {streamingKMeans: {centers: "[[1"}}', /centers: "\[\[1" .*\[longitude, latitude\]/],
    ['clustering: {streamingKMeans: {weights: [-1]}}', /weights: \[-1\] .*a list of numbers from 0/],
    [
      'clustering: {algorithm: streaming-kmeans, k: auto}',
      /^clustering.k: "auto" .*expected a number, because clustering.algorithm is streaming-kmeans, which does not keep/,
    ],
    ['clustering: {k: auto, features: 12}', /^clustering.features: 12 .*at least clustering.kMax \(20\)/],
    [
      'clustering: {kMin: 21}',
      /^clustering.kMin: 21 .*at most clustering.kMax \(20\): lower this or raise that/,
    ],
    ['clustering: {kMax: 101}', /^clustering.kMax: 101 .*expected a whole number from 1 to 100/],
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
    [
      'broker: {kind: kafka}',
      /^broker.kafka.brokers: \[\] .*at least one, such as localhost:9092, because broker.kind is kafka/,
    ],
    ['broker: {kind: redpanda}', /^broker.kind: "redpanda" .*one of embedded, kafka/],
    [
      'broker: {kafka: {brokers: "a:99999"}}',
      /^broker.kafka.brokers: "a:99999" .*host:port separated by commas/,
    ],
    ['broker: {kafka: {brokers: [a, 7]}}', /^broker.kafka.brokers: \["a",7\] .*host:port/],
    ['broker: {kafka: {brokers: "a,,b"}}', /^broker.kafka.brokers: "a,,b" .*host:port/],
    [
      'broker: {kafka: {brokers: a, sasl: {mechanism: gssapi}}}',
      /^broker.kafka.sasl.mechanism: .*scram-sha-512/,
    ],
    [
      'broker: {kafka: {brokers: a, sasl: {mechanism: plain, username: u}}}',
      /^broker.kafka.sasl.password: \(hidden\) .*expected a value, because broker.kafka.sasl.mechanism is plain/,
    ],
    [
      'broker: {kafka: {brokers: a, sasl: {username: u}}}',
      /^broker.kafka.sasl.username: "u" .*expected nothing, because broker.kafka.sasl.mechanism is none/,
    ],
    [
      'broker: {kafka: {brokers: a, sasl: {mechanism: oauthbearer, tokenEndpoint: "https://id", clientSecret: s}}}',
      /^broker.kafka.sasl.clientId: null .*expected a value, because .* oauthbearer/,
    ],
    [
      'broker: {kafka: {brokers: a, sasl: {tokenEndpoint: "ftp://id"}}}',
      /^broker.kafka.sasl.tokenEndpoint: "ftp:\/\/id" .*begins with https:/,
    ],
    [
      'broker: {kafka: {brokers: a, tls: {ca: ca.pem}}}',
      /^broker.kafka.tls.ca: "ca.pem" .*expected nothing, because broker.kafka.tls.enabled is false/,
    ],
    [
      'broker: {kafka: {brokers: a, tls: {enabled: true, cert: c.pem}}}',
      /^broker.kafka.tls.key: null .*path of a file, because broker.kafka.tls.cert is set/,
    ],
    [
      'broker: {kafka: {brokers: a, tls: {rejectUnauthorized: false}}}',
      /^broker.kafka.tls.rejectUnauthorized: /,
    ],
    ['broker: {kafka: {sessionTimeout: 500ms}}', /^broker.kafka.sessionTimeout: "500ms" .*from 1s to 5m/],
    [
      'broker: {kafka: {replication: 0}}',
      /^broker.kafka.replication: 0 .*auto, or a whole number from 1 to 100/,
    ],
    ['publisher: {linesPerMessage: 0}', /^publisher.linesPerMessage: 0 .*auto, or a whole number from 1 to/],
    ['partitions: {startPosition: newest}', /^partitions.startPosition: .*one of earliest, latest/],
    ['ingest: {ownership: mine}', /^ingest.ownership: .*one of shared, local/],
    ['topics: {rows: geoflock.files}', /^topics.rows: "geoflock.files" .*does not begin with topics.group/],
    [
      `topics: {group: ${'g'.repeat(100)}, rows: ${'r'.repeat(145)}}`,
      /^topics.rows: .*expected a shorter name: .* has 255 characters, and Kafka takes 249/,
    ],
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

  describe('which broker', () => {
    const cases: readonly {
      readonly given: string;
      readonly file?: string;
      readonly environment?: Record<string, string>;
      readonly kind: 'embedded' | 'kafka';
      readonly source: RegExp;
    }[] = [
      { given: 'nothing', kind: 'embedded', source: /default\.yaml$/ },
      {
        given: 'brokers in the environment',
        environment: { GEOFLOCK_KAFKA_BROKERS: 'kafka-1:9093, kafka-2' },
        kind: 'kafka',
        source: /^broker\.kafka\.brokers \(environment variable GEOFLOCK_KAFKA_BROKERS\)$/,
      },
      {
        given: 'an empty variable',
        environment: { GEOFLOCK_KAFKA_BROKERS: '' },
        kind: 'embedded',
        source: /default\.yaml$/,
      },
      {
        given: 'brokers in a file',
        file: 'broker: {kafka: {brokers: [kafka-1:9093, kafka-2]}}',
        kind: 'kafka',
        source: /^broker\.kafka\.brokers \(.*default\.yaml\)$/,
      },
      {
        given: 'brokers in the environment, and a file that says embedded',
        file: 'broker: {kind: embedded}',
        environment: { GEOFLOCK_KAFKA_BROKERS: 'kafka-1' },
        kind: 'embedded',
        source: /^\/.*default\.yaml$/,
      },
      {
        given: 'brokers and the kind in the environment',
        environment: { GEOFLOCK_KAFKA_BROKERS: 'kafka-1', GEOFLOCK_BROKER_KIND: 'embedded' },
        kind: 'embedded',
        source: /GEOFLOCK_BROKER_KIND$/,
      },
      { given: 'an empty list', file: 'broker: {kafka: {brokers: []}}', kind: 'embedded', source: /default/ },
    ];
    for (const { environment = {}, file, given, kind, source } of cases) {
      it(`is ${kind}, given ${given}`, () => {
        if (file !== undefined) {
          put('default.yaml', file);
        }
        const loaded = load({ environment });
        expect(loaded.configuration.broker.kind).to.equal(kind);
        expect(sourceOf(loaded, 'broker.kind')).to.match(source);
        if (kind === 'kafka') {
          expect(loaded.configuration.broker.kafka.brokers).to.deep.equal(['kafka-1:9093', 'kafka-2:9092']);
        }
      });
    }
  });

  it('reads the form of messages, the start position, ownership and what Kafka keeps', () => {
    put(
      'default.yaml',
      'publisher: {linesPerMessage: 1}\nbroker: {kafka: {retention: {bytes: 5GiB, age: 30d}}}',
    );
    const changed = load({
      environment: { GEOFLOCK_PARTITIONS_START_POSITION: 'latest', GEOFLOCK_INGEST_OWNERSHIP: 'local' },
    }).configuration;
    expect(changed.publisher.linesPerMessage).to.equal(1);
    expect([changed.partitions.startPosition, changed.ingest.ownership]).to.deep.equal(['latest', 'local']);
    expect(changed.broker.kafka.retention).to.deep.equal({ bytes: 5 * 2 ** 30, age: 30 * 86_400_000 });
    const { broker, ingest, partitions, publisher, topics } = loadConfiguration({
      environment: {},
    }).configuration;
    expect([
      publisher.linesPerMessage,
      partitions.startPosition,
      ingest.ownership,
      topics.group,
    ]).to.deep.equal(['auto', 'earliest', 'shared', 'geoflock']);
    expect(broker.kafka).to.deep.include({
      replication: 'auto',
      retention: { bytes: null, age: 7 * 86_400_000 },
      sessionTimeout: 10_000,
      transactionTimeout: 10_000,
    });
    expect(broker.wait).to.equal(60_000);
  });

  it('reads the settings of streaming k-means, and lists also from the environment', () => {
    const { clustering } = loadConfiguration({ environment: {} }).configuration;
    expect(clustering.algorithm).to.equal('summary');
    expect(clustering.streamingKMeans).to.deep.equal({
      k: 'auto',
      batchRows: 1000,
      decayFactor: null,
      halfLife: null,
      timeUnit: 'batches',
      seed: 1,
      initialCenters: 'data',
      centers: [],
      weights: [],
    });
    put(
      'default.yaml',
      'clustering: {algorithm: streaming-kmeans, streamingKMeans: {initialCenters: given, centers: [[2, 48], [-0.1, 51]]}}',
    );
    const environment = {
      GEOFLOCK_CLUSTERING_STREAMING_K_MEANS_WEIGHTS: '[1, 2.5]',
      GEOFLOCK_CLUSTERING_STREAMING_K_MEANS_DECAY_FACTOR: '0.5',
      GEOFLOCK_CLUSTERING_STREAMING_K_MEANS_BATCH_ROWS: '10',
    };
    const given = load({ environment }).configuration.clustering.streamingKMeans;
    expect(given).to.deep.include({
      centers: [
        { longitude: 2, latitude: 48 },
        { longitude: -0.1, latitude: 51 },
      ],
      weights: [1, 2.5],
      decayFactor: 0.5,
      batchRows: 10,
    });
  });

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
        .replace(/^broker\.kafka\./, 'kafka.')
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
      'bytes age bytes age bytes age rows bytes rows bytes bytes restarts window initialBackoff maxBackoff'.split(
        ' ',
      ),
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

  it('are hidden in errors about the group they stand in, and in those of the parser', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-config-'));
    try {
      const file = path.join(folder, 'default.yaml');
      const found = (content: string): string => {
        fs.writeFileSync(file, content);
        try {
          loadConfiguration({ directory: folder, environment: {} });
        } catch (error) {
          return String(error);
        }
        throw new Error('the configuration was accepted');
      };
      const group = found('broker: {kafka: {sasl: "me:sesame"}}');
      expect(group).to.include('broker.kafka.sasl: (hidden)').and.not.to.include('sesame');
      const twice = found('password: sesame\nusername: me\nusername: me');
      expect(twice).to.include('duplicated mapping key (3:1)').and.not.to.include('sesame');
      const alias = found('password: *sesame');
      expect(alias).to.include('alias').and.not.to.include('sesame');
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  it('of Kafka are hidden, and shown as not set where they are not', () => {
    const printed = (environment: Record<string, string>): string =>
      configurationTable(loadConfiguration({ environment }).entries);
    const unset = printed({});
    expect(unset).to.match(/^broker\.kafka\.sasl\.password +- /m);
    const set = printed({
      GEOFLOCK_KAFKA_BROKERS: 'kafka',
      GEOFLOCK_KAFKA_SASL_MECHANISM: 'plain',
      GEOFLOCK_KAFKA_SASL_USERNAME: 'ali',
      GEOFLOCK_KAFKA_SASL_PASSWORD: 'sesame',
      GEOFLOCK_KAFKA_SASL_CLIENT_SECRET: 'sesame',
    });
    expect(set).to.match(
      /^broker\.kafka\.sasl\.password +\(hidden\) +environment variable GEOFLOCK_KAFKA_SASL_PASSWORD$/m,
    );
    expect(set)
      .to.match(/^broker\.kafka\.sasl\.clientSecret +\(hidden\)/m)
      .and.not.to.include('sesame');
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
