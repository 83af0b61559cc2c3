/**
 * The main job as a whole process: rows a second from file to model on one core (`taskset`, all its
 * threads), and the peak of its anonymous memory (RssAnon), free and under a memory limit.
 *
 * `npm run bench`            a 5 GB input folder, as the targets are stated
 * `npm run bench -- --rows 2000000 --runs 3`   a short form
 * `npm run bench -- kafka --brokers localhost:9092`   only what `kafka.ts` measures; without the word
 * `kafka` that comes last, where brokers are named by the flag or by KAFKA_BROKERS
 *
 * Rates depend on the machine and on what else it does: compare runs of one session, use medians.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { benchKafka } from './kafka.ts';

const PROGRAM = fileURLToPath(new URL('../bin/geoflock.js', import.meta.url));
const LIMIT_BYTES = 400 * 2 ** 20;
const SAMPLE_EVERY_MS = 50;
const ROWS_A_FILE = 1_000_000;
/** 32.1 million rows of the generator are 5 GB. */
const DEFAULT_ROWS = 32_100_000;
const CORE = '0';

/** For Kafka, where a row costs more and the broker has to keep up. */
const DEFAULT_KAFKA_ROWS = 1_000_000;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    rows: { type: 'string' },
    brokers: { type: 'string', default: process.env['KAFKA_BROKERS'] ?? '' },
    compression: { type: 'string', default: 'none' },
    runs: { type: 'string', default: '1' },
    folder: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', default: false },
  },
});

if (values.help) {
  process.stdout.write(
    'npm run bench -- [kafka] [--rows N=32100000, for Kafka 1000000] [--runs N=1] [--folder DIR]\n' +
      '                 [--brokers HOST:PORT,...] [--compression none|gzip|lz4|zstd]\n',
  );
} else {
  const runs = Number(values.runs);
  const rows = (otherwise: number): number => Number(values.rows ?? otherwise);
  if (!positionals.includes('kafka')) {
    await main(rows(DEFAULT_ROWS), runs, values.folder);
  }
  if (values.brokers === '') {
    say('Kafka           left out: name a broker with --brokers or KAFKA_BROKERS');
    process.exitCode = positionals.includes('kafka') ? 2 : 0;
  } else {
    const { brokers, compression, folder } = values;
    await benchKafka({ brokers, compression, folder, runs, rows: rows(DEFAULT_KAFKA_ROWS) });
  }
}

interface Measured {
  readonly rowsPerSecond: number;
  readonly elapsedSeconds: number;
  readonly cpuMicrosecondsPerRow: number;
  readonly peakRssAnonBytes: number;
}

async function main(rows: number, runs: number, parent: string): Promise<void> {
  const folder = mkdtempSync(join(parent, 'geoflock-bench-'));
  try {
    const input = join(folder, 'input');
    const files = Math.max(1, Math.round(rows / ROWS_A_FILE));
    say(`generating ${String(files)} files of ${String(Math.round(rows / files))} rows`);
    execFileSync(process.execPath, [
      PROGRAM,
      ...['generate', input, String(Math.round(rows / files)), '--files', String(files), '--seed', '1'],
    ]);
    const bytes = readdirSync(input).reduce((sum, name) => sum + statSync(join(input, name)).size, 0);
    say(`${(bytes / 1e9).toFixed(2)} GB of input, node ${process.version}`);
    await measure('one core', input, folder, runs, undefined);
    const limit = memoryLimit();
    if (limit === undefined) {
      say('memory limit    not measured: this process may make no memory cgroup (needs root)');
    } else {
      try {
        await measure('400 MB limit', input, folder, runs, limit);
      } finally {
        limit.remove();
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(
  name: string,
  input: string,
  folder: string,
  runs: number,
  limit: MemoryLimit | undefined,
): Promise<void> {
  const results: Measured[] = [];
  for (let run = 0; run < runs; run++) {
    results.push(await once(input, folder, limit));
  }
  const median = (of: (measured: Measured) => number): number => {
    const sorted = results.map(of).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  };
  say(
    `${name.padEnd(14)}  ${Math.round(median((m) => m.rowsPerSecond)).toLocaleString('en-US')} rows/s, ` +
      `${median((m) => m.elapsedSeconds).toFixed(1)} s, ` +
      `${median((m) => m.cpuMicrosecondsPerRow).toFixed(2)} us CPU a row, ` +
      `peak RssAnon ${(Math.max(...results.map((m) => m.peakRssAnonBytes)) / 1e6).toFixed(0)} MB` +
      (runs > 1 ? ` (median of ${String(runs)}; peak of all)` : ''),
  );
}

async function once(input: string, folder: string, limit: MemoryLimit | undefined): Promise<Measured> {
  const made = mkdtempSync(join(folder, 'run-'));
  const [state, report] = [join(made, 'state'), join(made, 'report')];
  const args = [
    'run',
    '--once',
    '--json',
    '--log-level',
    'warn',
    '--input',
    input,
    '--state',
    state,
    '--report',
    report,
  ];
  const command = [
    ...(existsSync('/usr/bin/taskset') ? ['taskset', '-c', CORE] : []),
    ...[process.execPath, PROGRAM, ...args],
  ];
  const join_ = limit === undefined ? '' : `echo $$ > '${limit.procs}'; `;
  const child = spawn('/bin/sh', ['-c', `${join_}exec "$@"`, 'sh', ...command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const { peak, cpuSeconds, stdout, code } = await watch(child);
  rmSync(made, { recursive: true, force: true });
  if (code !== 0) {
    throw new Error(`the run ended with ${String(code)}`);
  }
  const { elapsedSeconds, rows, rowsPerSecond } = JSON.parse(stdout) as {
    elapsedSeconds: number;
    rowsPerSecond: number;
    rows: { read: number; counted: number };
  };
  if (rows.read !== rows.counted) {
    throw new Error(`${String(rows.read)} rows read, ${String(rows.counted)} counted`);
  }
  return {
    rowsPerSecond,
    elapsedSeconds,
    peakRssAnonBytes: peak,
    cpuMicrosecondsPerRow: (cpuSeconds * 1e6) / rows.counted,
  };
}

/** Follows a process to its end: greatest RssAnon seen, CPU seconds of all its threads. */
async function watch(
  child: ChildProcess,
): Promise<{ peak: number; cpuSeconds: number; stdout: string; code: number | null }> {
  let peak = 0;
  let cpuSeconds = 0;
  let stdout = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  const sample = (): void => {
    try {
      const status = readFileSync(`/proc/${String(child.pid)}/status`, 'utf8');
      peak = Math.max(peak, Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024);
      const fields =
        readFileSync(`/proc/${String(child.pid)}/stat`, 'utf8')
          .split(') ')[1]
          ?.split(' ') ?? [];
      // User and system time, in ticks of 10 ms (fields 14 and 15 of proc(5)).
      cpuSeconds = (Number(fields[11]) + Number(fields[12])) / 100;
    } catch {
      // It has just ended, or this system has no /proc.
    }
  };
  const timer = setInterval(sample, SAMPLE_EVERY_MS);
  const code = await new Promise<number | null>((resolve) => {
    child.on('close', resolve);
  });
  clearInterval(timer);
  return { peak, cpuSeconds, stdout, code };
}

interface MemoryLimit {
  /** File that takes the id of a process to be limited. */
  readonly procs: string;
  remove(): void;
}

/** A memory cgroup (v2, else v1) with the limit; undefined where none can be made. */
function memoryLimit(): MemoryLimit | undefined {
  const name = `geoflock-bench-${String(process.pid)}`;
  for (const [parent, file] of [
    ['/sys/fs/cgroup', 'memory.max'],
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
  ] as const) {
    const group = join(parent, name);
    try {
      mkdirSync(group);
      if (existsSync(join(group, file))) {
        writeFileSync(join(group, file), String(LIMIT_BYTES));
        return {
          procs: join(group, 'cgroup.procs'),
          remove: () => {
            rmdirSync(group);
          },
        };
      }
      rmdirSync(group);
    } catch {
      // Not allowed here; the next form may be.
    }
  }
  return undefined;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
