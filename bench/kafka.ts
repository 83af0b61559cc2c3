/**
 * CPU seconds of our process for a million rows on a real Kafka: publishing files, consuming and
 * clustering a topic, and both at once; with packed messages and with one line a message.
 *
 * `npm run bench -- kafka --brokers localhost:9092 [--rows 1000000] [--runs 3] [--compression zstd]`
 *
 * Wall time and the broker's own work are not what is measured: they are the cluster's.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generateFiles } from '../src/generator/generate.ts';

const PHASE = fileURLToPath(new URL('kafka-phase.js', import.meta.url));
const FILES = 4;

/** CPU seconds for a million rows, as the targets are stated. */
const TARGETS: Readonly<Record<string, number>> = { 'publish, packed': 3, 'consume, packed': 1.8 };

/** What `kafka-phase.js` is told. */
interface PhaseOptions {
  readonly phase: 'publish' | 'consume' | 'end to end';
  readonly settings: Readonly<Record<string, string>>;
  readonly rows: number;
}

interface PhaseResult {
  readonly cpuSeconds: number;
  readonly seconds: number;
  readonly rssAnonMb: number;
}

export interface KafkaBenchOptions {
  readonly brokers: string;
  readonly rows: number;
  readonly runs: number;
  readonly compression: string;
  /** Folder for what is generated. */
  readonly folder: string;
}

export async function benchKafka(options: KafkaBenchOptions): Promise<void> {
  const folder = mkdtempSync(join(options.folder, 'geoflock-bench-kafka-'));
  const prefix = `bench-${randomBytes(3).toString('hex')}-`;
  try {
    const input = join(folder, 'input');
    mkdirSync(join(folder, 'nothing'));
    const rows = FILES * Math.ceil(options.rows / FILES);
    await generateFiles(
      {
        directory: input,
        rows: rows / FILES,
        files: FILES,
        everyMs: 0,
        shape: 'uniform',
        seed: '1',
        header: 'true',
      },
      new AbortController().signal,
    );
    say(`Kafka at ${options.brokers}, ${String(rows)} rows, compression ${options.compression}`);
    say('                            CPU s a million rows     rows/s    RssAnon MB');
    for (const [form, linesPerMessage] of [
      ['packed', 'auto'],
      ['one line', '1'],
    ] as const) {
      const measured = new Map<string, PhaseResult[]>();
      for (let run = 0; run < options.runs; run++) {
        const topics = `${prefix}${linesPerMessage}-${String(run)}-`;
        const settings = (group: string, source: string): Record<string, string> => ({
          'input.directory': join(folder, source),
          'report.directory': join(folder, 'report'),
          'broker.kind': 'kafka',
          'broker.kafka.brokers': options.brokers,
          'broker.kafka.compression': options.compression,
          'publisher.linesPerMessage': linesPerMessage,
          'topics.prefix': topics,
          'topics.group': group,
        });
        const both = { ...settings('geoflock', 'input'), 'topics.prefix': `${topics}both-` };
        const phases: readonly PhaseOptions[] = [
          { phase: 'publish', settings: settings('geoflock', 'input'), rows },
          // Another group on the same rows, with no files of its own.
          { phase: 'consume', settings: settings('reader', 'nothing'), rows },
          { phase: 'end to end', settings: both, rows },
        ];
        for (const phase of phases) {
          measured.set(phase.phase, [...(measured.get(phase.phase) ?? []), once(phase)]);
        }
      }
      for (const [phase, results] of measured) {
        report(`${phase}, ${form}`, results, rows);
      }
    }
    say(`left on the broker: the topics ${prefix}*`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function once(options: PhaseOptions): PhaseResult {
  const output = execFileSync(process.execPath, [PHASE, JSON.stringify(options)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return JSON.parse(output) as PhaseResult;
}

function report(name: string, results: readonly PhaseResult[], rows: number): void {
  const median = (of: (result: PhaseResult) => number): number => {
    const sorted = results.map(of).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  };
  const cpu = median(({ cpuSeconds }) => (cpuSeconds / rows) * 1e6);
  const rate = Math.round(median(({ seconds }) => rows / seconds)).toLocaleString('en-US');
  const memory = Math.max(...results.map(({ rssAnonMb }) => rssAnonMb));
  const target = TARGETS[name];
  const against = target === undefined ? '' : `   target ${String(target)}${cpu > target ? ', missed' : ''}`;
  say(
    `${name.padEnd(24)}${cpu.toFixed(2).padStart(24)}${rate.padStart(11)}${String(memory).padStart(14)}${against}`,
  );
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
