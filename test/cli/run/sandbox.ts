import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Processes } from '../../support/processes.ts';
import { within } from '../../support/within.ts';

/** For suites whose tests run a few commands: longer than one that hangs lives. */
export const COMMANDS_MS = 300_000;
/** Far above what any command of a test takes, on a busy machine too. */
const ENDS_WITHIN_MS = 150_000;
const TELLS_WITHIN_MS = 90_000;
const URL_TOLD = /"url":"(http:[^"]+)"/;

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));
const BIN = path.join(PROJECT, 'bin/geoflock.js');
/** A user that owns nothing: file permissions do not bind root. */
const NOBODY = 65_534;
/** Root without the right to pass over file permissions (util-linux). */
const WITHOUT_OVERRIDE = [
  'setpriv',
  '--bounding-set=-dac_override,-dac_read_search',
  '--inh-caps=-dac_override,-dac_read_search',
] as const;
const canDropOverride =
  process.getuid?.() === 0 &&
  spawnSync(WITHOUT_OVERRIDE[0], [...WITHOUT_OVERRIDE.slice(1), 'true']).status === 0;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Log lines of the process, by level and text; `file` where a line names one. */
  readonly log: readonly { readonly level: string; readonly msg: string; readonly file?: string }[];
}

export interface Started {
  readonly child: ChildProcess;
  /** To be asked for when it is to end: from then on it has its time for that. */
  readonly ended: Promise<Ended>;
  /** Resolves when something is written to stderr that matches; rejects with what was written when it is not. */
  told(pattern: RegExp): Promise<void>;
  /** Where it answers over HTTP, once it has told. */
  url(): Promise<string>;
}

/** A folder of its own for input, state and report, and the built command to run on it. */
export class Sandbox {
  readonly folder: string;
  readonly #running = new Processes();

  constructor() {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'geoflock-run-'));
    fs.mkdirSync(this.at('input'));
  }

  at(...names: readonly string[]): string {
    return path.join(this.folder, ...names);
  }

  put(name: string, content: string | Uint8Array, ageMs = 60_000): void {
    const file = this.at('input', name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content);
    const then = new Date(Date.now() - ageMs);
    fs.utimesSync(file, then, then);
  }

  configure(yaml: string): void {
    fs.mkdirSync(this.at('config'), { recursive: true });
    fs.writeFileSync(this.at('config', 'default.yaml'), yaml);
  }

  start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Started {
    const folders = ['input', 'state', 'report'].flatMap((name) =>
      args.includes(`--${name}`) ? [] : [`--${name}`, name],
    );
    return this.#spawn(['run', ...folders, ...args], environment);
  }

  /** Another command on the same state; with `input` on its stdin. */
  ask(
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    input?: string,
  ): Promise<Ended> {
    return this.#spawn([...args, '--state', 'state'], environment, input).ended;
  }

  #spawn(args: readonly string[], environment: Readonly<Record<string, string>>, input?: string): Started {
    const config = fs.existsSync(this.at('config')) ? ['--config', 'config'] : [];
    const { NODE_V8_COVERAGE: coverage, ...inherited } = process.env;
    const restricted = environment['AS_NOBODY'] !== undefined;
    const unprivileged = restricted && !canDropOverride ? { uid: NOBODY, gid: NOBODY } : {};
    const [command, ...before] =
      restricted && canDropOverride ? [...WITHOUT_OVERRIDE, process.execPath] : [process.execPath];
    const env = {
      // Any that is free: others of this machine may have the default one.
      GEOFLOCK_ADMIN_PORT: '0',
      ...inherited,
      // Another user may not be able to write coverage.
      ...(coverage === undefined || environment['AS_NOBODY'] !== undefined
        ? {}
        : { NODE_V8_COVERAGE: coverage }),
      ...environment,
    };
    const child = this.#running.add(
      spawn(command, [...before, BIN, ...args, ...config], {
        cwd: this.folder,
        env,
        stdio: ['pipe', 'pipe', 'pipe'],
        ...unprivileged,
      }),
    );
    child.stdin.end(input);
    let stdout = '';
    let stderr = '';
    const waiting: { readonly pattern: RegExp; readonly resolve: () => void }[] = [];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      for (const { pattern, resolve } of waiting) {
        if (pattern.test(stderr)) {
          resolve();
        }
      }
    });
    const close = new Promise<Ended>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        resolve({ code, stdout, stderr, log: logLines(stderr) });
      });
    });
    // Not every test waits for it.
    close.catch(() => undefined);
    const said = (): string => `; it has written: ${stderr.slice(-2_000)}`;
    const ended = (): Promise<Ended> =>
      within(ENDS_WITHIN_MS, () => `the end of geoflock ${args.join(' ')}${said()}`, close);
    const told = (pattern: RegExp): Promise<void> =>
      new Promise((resolve, reject) => {
        if (pattern.test(stderr)) {
          resolve();
        }
        waiting.push({ pattern, resolve });
        child.on('close', () => {
          reject(new Error(`ended without telling ${String(pattern)}: ${stderr}`));
        });
      });
    const toldInTime = (pattern: RegExp): Promise<void> =>
      within(TELLS_WITHIN_MS, () => `${String(pattern)}${said()}`, told(pattern));
    let toldUrl: Promise<void> | undefined;
    return {
      child,
      get ended() {
        return ended();
      },
      told: toldInTime,
      url: async () => {
        await (toldUrl ??= toldInTime(URL_TOLD));
        return URL_TOLD.exec(stderr)?.[1] ?? '';
      },
    };
  }

  once(args: readonly string[] = [], environment: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return this.start(['--once', '--json', ...args], environment).ended;
  }

  /**
   * The same bound by file permissions, for what they are to prevent: as root without its override,
   * else as another user, to whom the folder is given. Undefined where neither is possible.
   */
  async onceWithoutRights(args: readonly string[] = []): Promise<Ended | undefined> {
    if (process.getuid?.() !== 0) {
      return process.getuid === undefined ? undefined : await this.once(args);
    }
    if (!canDropOverride && (!readableByAll(BIN) || !readableByAll(process.execPath))) {
      return undefined;
    }
    return await this.once(args, { AS_NOBODY: '1', HOME: this.folder });
  }

  /** Gives everything, or one path, to the user of `onceWithoutRights`. */
  giveAway(target = this.folder): void {
    if (process.getuid?.() === 0 && !canDropOverride) {
      fs.chownSync(target, NOBODY, NOBODY);
    }
  }

  /** Also ends what runs in it. */
  async remove(): Promise<void> {
    await this.#running.killAll();
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}

function logLines(stderr: string): Ended['log'] {
  return stderr
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Ended['log'][number]);
}

function readableByAll(file: string): boolean {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    if ((fs.statSync(folder).mode & 0o005) !== 0o005) {
      return false;
    }
    if (folder === path.dirname(folder)) {
      return true;
    }
  }
}

export interface OnceJson {
  readonly files: { readonly done: number; readonly failed: number };
  readonly rows: { readonly read: number; readonly counted: number; readonly rejected: number };
  readonly model: {
    readonly k: number;
    readonly weight: number;
    readonly cost: number;
    readonly clusters: readonly object[];
  };
}

/** The JSON without the keys that tell of time. */
export function lasting({ stdout }: Ended): OnceJson {
  const { files, model, rows } = JSON.parse(stdout) as OnceJson;
  return { files, rows, model };
}
