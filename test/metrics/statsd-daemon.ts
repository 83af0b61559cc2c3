/** The StatsD daemon of the project of that name, as a process of its own, and what it has received. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { freePort } from '../support/free-port.ts';
import { Processes } from '../support/processes.ts';
import { within } from '../support/within.ts';

/** The daemon calls what newer Nodes have no more. */
const SHIM = "const util = require('node:util'); util.log ??= (text) => console.log(text);";
const STARTS_WITHIN_MS = 30_000;
const ANSWERS_WITHIN_MS = 10_000;

export interface Daemon {
  readonly port: number;
  /** Path of its unix socket, where it has one. */
  readonly socket: string;
  /** Sums by key since it was started. */
  counters(): Promise<Record<string, number>>;
  gauges(): Promise<Record<string, number>>;
  /** Single values by key. */
  timers(): Promise<Record<string, readonly number[]>>;
  signal(name: NodeJS.Signals): void;
}

/** Daemons of a suite, to be ended in its `afterEach`. */
export class Daemons {
  readonly #processes = new Processes();
  readonly #folders: string[] = [];

  async start(transport: 'udp' | 'unix' = 'udp'): Promise<Daemon> {
    const folder = await mkdtemp(join(tmpdir(), 'geoflock-statsd-'));
    this.#folders.push(folder);
    const port = await freeUdpPort();
    const management = await freePort();
    const socket = join(folder, 'statsd.sock');
    const server =
      transport === 'udp'
        ? { server: './servers/udp', address: '127.0.0.1', port }
        : { server: './servers/tcp', socket };
    await writeFile(join(folder, 'shim.cjs'), SHIM);
    await writeFile(
      join(folder, 'config.js'),
      JSON.stringify({
        ...server,
        mgmt_address: '127.0.0.1',
        mgmt_port: management,
        backends: ['./backends/console'],
        // Sums are of its whole life: nothing is flushed.
        flushInterval: 86_400_000,
      }),
    );
    const child = this.#processes.add(
      spawn(
        process.execPath,
        [
          '--require',
          join(folder, 'shim.cjs'),
          fileURLToPath(import.meta.resolve('statsd/stats.js')),
          join(folder, 'config.js'),
        ],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      ),
    );
    const ask = (question: string): Promise<unknown> => asked(management, question);
    await within(STARTS_WITHIN_MS, 'the StatsD daemon', untilItAnswers(ask));
    return {
      port,
      socket,
      counters: async () => (await ask('counters')) as Record<string, number>,
      gauges: async () => (await ask('gauges')) as Record<string, number>,
      timers: async () => (await ask('timers')) as Record<string, readonly number[]>,
      signal: (name) => {
        child.kill(name);
      },
    };
  }

  async end(): Promise<void> {
    await this.#processes.killAll();
    for (const folder of this.#folders.splice(0)) {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

async function untilItAnswers(ask: (question: string) => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await ask('counters');
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** It answers in Node's own notation. */
async function asked(port: number, question: string): Promise<unknown> {
  const answer = new Promise<string>((resolve, reject) => {
    let text = '';
    const stream = connect(port, '127.0.0.1', () => stream.write(`${question}\n`));
    stream.setEncoding('utf8');
    stream.on('error', reject);
    stream.on('data', (piece: string) => {
      text += piece;
      if (text.endsWith('END\n\n')) {
        stream.destroy();
        resolve(text.slice(0, -'END\n\n'.length));
      }
    });
  });
  const text = await within(ANSWERS_WITHIN_MS, `the daemon's answer to ${question}`, answer);
  return runInNewContext(`(${text.replaceAll(/\.\.\. (\d+) more items?/g, '...Array($1).fill(0)')})`);
}

/** As `freePort`, but for datagrams. */
export async function freeUdpPort(): Promise<number> {
  for (;;) {
    const port = await freePort();
    const socket = createSocket('udp4');
    const free = await new Promise<boolean>((resolve) => {
      socket.once('error', () => {
        resolve(false);
      });
      socket.bind(port, '127.0.0.1', () => {
        resolve(true);
      });
    });
    await new Promise<void>((resolve) => socket.close(resolve));
    if (free) {
      return port;
    }
  }
}
