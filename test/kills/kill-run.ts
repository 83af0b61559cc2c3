import { type ChildProcess, spawn } from 'node:child_process';
import {
  cpSync,
  createReadStream,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { topicNames } from '../../src/actors/topics.ts';
import { readTotals, type Totals } from '../../src/actors/totals.ts';
import { openEmbeddedBroker } from '../../src/broker/embedded/broker.ts';
import { systemClock } from '../../src/system/clock.ts';
import type { FaultPoint } from '../../src/system/faults.ts';
import { silentLogger } from '../../src/system/logger.ts';
import { Processes } from '../support/processes.ts';

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

const PARTITIONS = 8;
const MAP_BYTES = 4 * 2 ** 30;
/** A run that does not end by itself: far above any honest duration, so that a hang fails the test. */
const HANG_MS = 240_000;
const running = new Processes();

/** How a run is ended: at the n-th pass of a fault point, or by SIGKILL some time into the work. */
export type Kill =
  | { readonly at: FaultPoint; readonly pass: number }
  | { readonly at: 'outside'; readonly afterMs: number };

export interface Stage {
  /** Folder of the case: input, state, report and configuration are made in it. */
  readonly folder: string;
  /** Root whose bin is run: the project's, or a mutant's. */
  readonly root: string;
  /** Store opened at the last flushed transaction: the loss of power. */
  readonly powerLoss: boolean;
  /** Panes of a second, a half-life, a window and a lateness, and files whose times go back and forth. */
  readonly inTime: boolean;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It did not end by itself, nor where it was to be killed. */
  readonly hung: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Copies the input (with its modification times, which decide the order) and writes the settings. */
export function prepare(stage: Stage, input: string): void {
  const folder = join(stage.folder, 'input');
  cpSync(input, folder, { recursive: true, preserveTimestamps: true });
  if (stage.inTime) {
    readLater(folder, 1, 2);
  }
  const config = join(stage.folder, 'config');
  mkdirSync(config, { recursive: true });
  writeFileSync(
    join(config, 'default.yaml'),
    [
      'input: { after: delete, events: false }',
      // Small steps, so that kills find many different places.
      'publisher: { transactionBytes: 1MiB }',
      'checkpoint: { every: 100ms }',
      ...(stage.inTime ? IN_TIME : []),
      `broker: { embedded: { mapSize: ${String(MAP_BYTES)}, safeRestore: ${String(stage.powerLoss)} } }`,
      '',
    ].join('\n'),
  );
}

/** Files are 10 s of event time each: where one is read after a later one, its first half second is late. */
const IN_TIME = [
  'regions: { pane: 1s, history: 40s, lateness: 19500ms }',
  'clustering: { halfLife: 6s, window: 20s }',
];

/** Has the file at one place of the order read after that at another. */
function readLater(folder: string, place: number, after: number): void {
  const files = readdirSync(folder).sort();
  const times = files.map((name) => statSync(join(folder, name)).mtimeMs / 1000);
  const order = files.map((_, at) => (at === place ? after : at === after ? place : at));
  for (const [at, name] of files.entries()) {
    const time = (times.at(-1) ?? 0) - 100 + (order[at] ?? 0);
    utimesSync(join(folder, name), time, time);
  }
}

function start(stage: Stage, fault: string | undefined): ChildProcess {
  const { folder, root } = stage;
  const flags = ['input', 'state', 'report', 'config'].flatMap((name) => [`--${name}`, join(folder, name)]);
  // Coverage of a process that is killed is lost anyhow, and collecting it would slow the work down.
  const environment = { ...process.env };
  delete environment['NODE_V8_COVERAGE'];
  return running.add(
    spawn(process.execPath, [join(root, 'bin/geoflock.js'), 'run', '--once', '--json', ...flags], {
      env: {
        ...environment,
        GEOFLOCK_LOG_FORMAT: 'json',
        ...(fault === undefined ? {} : { GEOFLOCK_FAULT: fault }),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  );
}

/** Ends what a test that was cut off has left. */
export async function killRunning(): Promise<void> {
  await running.killAll();
}

/** One run, ended by itself or by `kill`. */
export async function run(stage: Stage, kill?: Kill): Promise<Ended> {
  const child = start(
    stage,
    kill === undefined || kill.at === 'outside' ? undefined : `${kill.at}:${String(kill.pass)}`,
  );
  let stdout = '';
  let stderr = '';
  let timer: NodeJS.Timeout | undefined;
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    // The work has begun: the first file is open.
    if (kill?.at === 'outside' && timer === undefined && /"msg":"(reading|going on)/.test(stderr)) {
      timer = setTimeout(() => child.kill('SIGKILL'), kill.afterMs);
    }
  });
  let hung = false;
  const hang = setTimeout(() => {
    hung = true;
    stderr += `\nkilled by the test: it did not end within ${String(HANG_MS / 1000)} s`;
    child.kill('SIGKILL');
  }, HANG_MS);
  return await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      clearTimeout(hang);
      resolve({ code, signal, hung, stdout, stderr });
    });
  });
}

/** What is committed in the state a killed process left behind. */
export async function committed(stage: Stage): Promise<Totals> {
  const broker = await openEmbeddedBroker({
    directory: join(stage.folder, 'state'),
    mapBytes: MAP_BYTES,
    safeRestore: stage.powerLoss,
    log: silentLogger,
    clock: systemClock,
  });
  try {
    return await readTotals(
      broker,
      topicNames({ group: 'geoflock', prefix: '', rows: 'mobile_data', partitions: PARTITIONS }),
      PARTITIONS,
    );
  } finally {
    await broker.close();
  }
}

/** The independent reader: data lines of all files of a folder, by line feeds alone. */
export async function countRows(folder: string): Promise<number> {
  let rows = 0;
  for (const name of readdirSync(folder)) {
    let lines = 0;
    for await (const chunk of createReadStream(join(folder, name)) as AsyncIterable<Buffer>) {
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) {
        lines++;
      }
    }
    rows += lines - 1;
  }
  return rows;
}

export function modelBytes(stage: Stage): string {
  return readFileSync(join(stage.folder, 'report', 'model.json'), 'latin1');
}

export interface OnceOutput {
  readonly files: { readonly done: number; readonly failed: number };
  readonly rows: { readonly read: number; readonly counted: number; readonly rejected: number };
  readonly model: { readonly weight: number; readonly time: { readonly rows: number } };
}
