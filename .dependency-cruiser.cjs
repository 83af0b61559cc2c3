'use strict';

/** Packages that stand behind a port of ours, and the one file that may import each. */
const ADAPTERS = {
  nact: 'src/system/nact.ts',
  'node-cron': 'src/system/node-cron.ts',
  lmdb: 'src/broker/embedded/lmdb.ts',
  kafkajs: 'src/broker/kafka/kafkajs.ts',
  chokidar: 'src/actors/file-watcher/chokidar.ts',
  pino: 'src/cli/logging.ts',
  'pino-pretty': 'src/cli/logging.ts',
  fastify: 'src/doors/http/server.ts',
  'hot-shots': 'src/metrics/hot-shots.ts',
  'prom-client': 'src/metrics/prom-client.ts',
};

/** Which stage's folder spawns the actors of which; the topology spawns all others. */
const PARENTS = {
  'file-watcher': ['ingest'],
  publisher: ['ingest'],
  partition: ['partitions'],
  region: ['partition'],
};

const TOPOLOGY = '^src/actors/topology\\.ts$';

const escape = (path) => path.replaceAll(/[.\-/]/g, '\\$&');

const onlyAdapters = Object.entries(ADAPTERS).map(([name, file]) => ({
  name: `only-one-file-imports-${name}`,
  comment: `${name} is used through a port of ours, so that it can be replaced in one place: ${file}`,
  severity: 'error',
  from: { path: '^(src|bench|bin)/', pathNot: `^${escape(file)}$` },
  to: { path: `(^|/)node_modules/${escape(name)}/` },
}));

const onlyParents = Object.entries(PARENTS).map(([folder, parents]) => ({
  name: `only-its-parent-spawns-${folder}`,
  comment: `An actor is started by the topology or by its parent (${parents.join(', ')})`,
  severity: 'error',
  from: { path: '^(src|bench)/', pathNot: [TOPOLOGY, `^src/actors/(${parents.join('|')})/`] },
  to: { path: `^src/actors/${folder}/.+-actor\\.ts$` },
}));

/** Files under `from` import nothing of `src/` but what matches one of `allowed`. */
const onlyImports = (name, comment, from, allowed) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^src/', pathNot: allowed },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Modules that need each other are one module, or a third one is missing. Types count too.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolved',
      comment: 'An import that leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-undeclared-packages',
      comment: 'What the product imports is a dependency of package.json, not one of the development only.',
      severity: 'error',
      from: { path: '^(src|bin)/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    onlyImports(
      'system-knows-no-stage',
      'The runtime could run any other system of actors.',
      '^src/system/',
      ['^src/system/'],
    ),
    onlyImports(
      'broker-stands-alone',
      'The log knows nothing of rows or actors; of the runtime it uses small ports only.',
      '^src/broker/',
      ['^src/broker/', '^src/system/(clock|logger|faults|event-loop)\\.ts$'],
    ),
    onlyImports(
      'pure-folders-know-no-machinery',
      'Rows, geometry and clustering are functions of their input.',
      '^src/(rows|geo|clustering)/',
      ['^src/(rows|geo|clustering)/'],
    ),
    onlyImports(
      'health-is-judged-from-samples',
      'Who takes the samples, and who acts on them, is the business of the stages.',
      '^src/health/',
      ['^src/health/', '^src/system/clock\\.ts$'],
    ),
    onlyImports(
      'metrics-know-no-stage',
      'Stages record in a port; what is sampled of them is read from plain data.',
      '^src/metrics/',
      [
        '^src/(metrics|system|clustering|geo)/',
        '^src/broker/broker\\.ts$',
        '^src/admin/stages\\.ts$',
        '^src/actors/(stats|arrivals|centroid-aggregator/messages)\\.ts$',
      ],
    ),
    onlyImports(
      'places-know-no-stage',
      'What a position is called is asked by whoever shows a model; models are made without it.',
      '^src/places/',
      ['^src/(places|geo|clustering)/', '^src/system/(clock|event-loop)\\.ts$'],
    ),
    onlyImports(
      'library-is-pure',
      'What the package exports starts nothing, and needs no broker.',
      '^src/index\\.ts$',
      ['^src/(rows|geo|clustering)/'],
    ),
    onlyImports(
      'generator-stands-alone',
      'It makes files; the pipeline that reads them is not its business.',
      '^src/generator/',
      ['^src/(generator|places|geo)/', '^src/system/(clock|event-loop)\\.ts$'],
    ),
    onlyImports(
      'report-draws-only',
      'A report is a function of its data; who collects that is not its business.',
      '^src/report/',
      ['^src/(report|rows|geo|clustering)/'],
    ),
    onlyImports(
      'config-knows-no-stage',
      'The configuration is read before anything else exists.',
      '^src/config/',
      ['^src/(config|rows|geo|clustering)/'],
    ),
    onlyImports(
      'commands-know-no-one',
      'What can be asked, and what is answered, is stated apart from doors and from who carries it out.',
      '^src/admin/',
      ['^src/admin/'],
    ),
    onlyImports(
      'doors-only-translate',
      'A door reads and tells commands; what they do is behind the port.',
      '^src/doors/',
      [
        '^src/(doors|admin|config)/',
        '^src/health/judge\\.ts$',
        '^src/system/(clock|logger)\\.ts$',
        '^src/version\\.ts$',
      ],
    ),
    {
      name: 'pure-folders-do-no-io',
      comment: 'What reads no file, socket or process can be tested, and moved to a thread, as it is.',
      severity: 'error',
      from: { path: '^src/(rows|geo|clustering)/' },
      to: {
        dependencyTypes: ['core'],
        path: '^(node:)?(fs|fs/promises|net|http|https|http2|tls|dgram|dns|child_process|cluster|worker_threads)$',
      },
    },
    {
      name: 'actors-see-the-port-only',
      comment: 'Which broker runs is decided where the system is put together, not in a stage.',
      severity: 'error',
      from: { path: '^src/actors/' },
      to: { path: '^src/broker/[^/]+/' },
    },
    {
      name: 'nothing-imports-the-command-line',
      comment: 'The command line is one of the doors; only bin/ opens it.',
      severity: 'error',
      from: { path: '^(src|bench)/', pathNot: '^src/cli/' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'source-knows-no-test',
      comment: 'What ships must not need what does not.',
      severity: 'error',
      from: { path: '^(src|bin)/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'only-the-topology-spawns',
      comment: 'An actor is reached by its address and its messages, not by importing it.',
      severity: 'error',
      from: { path: '^(src|bench)/', pathNot: TOPOLOGY },
      to: {
        path: '^src/actors/.+-actor\\.ts$',
        pathNot: `^src/actors/(${Object.keys(PARENTS).join('|')})/`,
      },
    },
    ...onlyParents,
    ...onlyAdapters,
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    moduleSystems: ['es6', 'cjs'],
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.cjs', '.mjs', '.d.ts'],
    },
  },
};
