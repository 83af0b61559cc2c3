import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Processes } from '../support/processes.ts';

/** All replicas of all runs: none outlives the tests. */
const replicas = new Processes();

/** What of a run's standard error is kept, for a message about how it ended. */
const TAIL = 1500;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly tail: string;
}

export interface ReplicaOptions {
  /** Root whose bin is run: the project's, or a mutant's. */
  readonly root: string;
  /** Folder that holds the input, the configuration and, for each replica, a report. */
  readonly folder: string;
  readonly input: string;
  readonly config: string;
  readonly report: string;
  /** Which one of the run's this is: its log goes to `<life>-<report>.log` in the folder. */
  readonly life: number;
  readonly brokers: readonly string[];
  readonly flags?: readonly string[];
  /** `<point>:<n>`: the replica ends itself there, as SIGKILL does. */
  readonly fault?: string | undefined;
}

/** One `geoflock run` on a Kafka, as a process of its own. */
export class Replica {
  readonly #child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when it has a file in hand; never when it ends before. */
  readonly working: Promise<void>;

  constructor(options: ReplicaOptions) {
    const { brokers, config, fault, flags, folder, input, life, report, root } = options;
    // Coverage of a process that is killed is lost anyhow, and collecting it would slow the work down.
    const environment = { ...process.env, GEOFLOCK_ADMIN_PORT: '0', GEOFLOCK_LOG_FORMAT: 'json' };
    delete (environment as NodeJS.ProcessEnv)['NODE_V8_COVERAGE'];
    const folders = Object.entries({ input, config, report, state: 'state' });
    this.#child = replicas.add(
      spawn(
        process.execPath,
        [
          join(root, 'bin/geoflock.js'),
          'run',
          ...folders.flatMap(([name, at]) => [`--${name}`, join(folder, at)]),
          ...['--brokers', brokers.join(','), ...(flags ?? [])],
        ],
        {
          env: { ...environment, ...(fault === undefined ? {} : { GEOFLOCK_FAULT: fault }) },
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      ),
    );
    const log = createWriteStream(join(folder, `${String(life)}-${report}.log`));
    this.#child.stderr?.pipe(log);
    let stdout = '';
    let tail = '';
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    this.working = new Promise((resolve) => {
      this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        tail = (tail + text).slice(-TAIL);
        if (/"msg":"(reading;|going on)/.test(text)) {
          resolve();
        }
      });
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject);
      this.#child.on('close', (code, signal) => {
        resolve({ code, signal, stdout, tail });
      });
    });
  }

  send(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends by itself when told so, or is killed when it takes longer than `withinMs`. */
  async finish(withinMs: number): Promise<Ended> {
    this.send('SIGTERM');
    const timer = setTimeout(() => {
      this.send('SIGKILL');
    }, withinMs);
    return await this.ended.finally(() => {
      clearTimeout(timer);
    });
  }
}

/** Ends the replicas of runs that were given up, and waits until they are gone. */
export async function killReplicas(): Promise<void> {
  await replicas.killAll();
}
