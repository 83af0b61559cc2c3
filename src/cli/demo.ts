import { mkdirSync } from 'node:fs';
import { relative } from 'node:path';
import type { NamedModel } from '../clustering/geojson.ts';
import type { Configuration } from '../config/schema.ts';
import { generateFiles } from '../generator/generate.ts';
import { nameModel } from '../places/places.ts';
import { NO_TIMEOUT_MS, type Pipeline } from '../pipeline.ts';
import { systemClock } from '../system/clock.ts';
import { type LiveView, liveLine, liveTable } from './live-table.ts';
import { openHttpDoor } from './doors.ts';
import { createLogger } from './logging.ts';
import { grouped } from '../report/text.ts';
import { clusterTable } from './result.ts';
import { reportProblem } from './run.ts';
import { untilStopped } from './signals.ts';
import { aborted, startOrSay } from './start.ts';
import { EXIT_FAILURE, EXIT_OK, type Output, UsageError } from './usage.ts';

export interface DemoOptions {
  /** Ends by itself after so long; undefined: at Ctrl-C. */
  readonly durationMs: number | undefined;
  readonly rowsPerFile: number;
  /** A table that is drawn over itself; else plain lines. Default: whether stdout is a terminal. */
  readonly terminal?: boolean;
}

/** A new file of the generator comes this often. */
const FILE_EVERY_MS = 2_000;
/** As many cities as clusters, where their number is given: the largest that are far from each other. */
const CROWD = { cities: 12, apartKm: 1_500, devices: 50_000, noise: 0.001 };
const TABLE_EVERY_MS = 500;
const LINE_EVERY_MS = 2_000;
/** A live demo shows its clusters early. */
const LIVE_EVERY_MS = 1_000;

/** `npm start`: the generator writes files, the pipeline turns them into clusters, a table shows it. */
export async function demoCommand(
  configuration: Configuration,
  options: DemoOptions,
  output: Output,
): Promise<number> {
  const terminal = options.terminal ?? process.stdout.isTTY;
  // The table has the screen to itself; warnings still come through.
  const level = configuration.log.level === 'info' ? 'warn' : configuration.log.level;
  const log = await createLogger({ ...configuration.log, level });
  const { directory } = configuration.input;
  const problem = reportProblem(configuration.report.directory);
  if (problem !== undefined) {
    output.err(`geoflock: ${problem}\n`);
    return EXIT_FAILURE;
  }
  makeInputFolder(directory);
  const settings: Configuration = {
    ...configuration,
    checkpoint: {
      ...configuration.checkpoint,
      every: Math.min(configuration.checkpoint.every, LIVE_EVERY_MS),
    },
    model: { every: Math.min(configuration.model.every, LIVE_EVERY_MS) },
  };
  let model: NamedModel | undefined;
  return await untilStopped(async (signal) => {
    const onModel = (published: NamedModel): void => {
      model = published;
    };
    const asked = new AbortController();
    const onShutdown = (): void => {
      asked.abort();
    };
    const pipeline = await startOrSay(settings, { log, live: true, onModel, onShutdown }, output, signal);
    if (pipeline === undefined) {
      return EXIT_FAILURE;
    }
    const door = await openHttpDoor(pipeline, settings, log, { unlessTaken: true });
    const { k } = configuration.clustering;
    const generating = new AbortController();
    const generator = generateFiles(
      {
        directory,
        rows: options.rowsPerFile,
        everyMs: FILE_EVERY_MS,
        shape: 'cities',
        header: 'true',
        cities: { ...CROWD, cities: typeof k === 'number' ? k : CROWD.cities },
      },
      generating.signal,
    );
    const view = showLive(pipeline, output, terminal, () => model);
    try {
      const exit = await Promise.race([
        pipeline.terminated,
        generator.then(() => undefined),
        aborted(signal),
        aborted(asked.signal),
        ...(options.durationMs === undefined ? [] : [elapsed(options.durationMs)]),
      ]);
      generating.abort();
      await generator;
      view.stop();
      if (exit?.kind === 'failed') {
        throw exit.error;
      }
      output.out(terminal ? '\ndraining ...\n' : 'draining\n');
      const drained = await drainAll(pipeline, configuration, signal);
      output.out(endText(await pipeline.totals(), drained, configuration.report.directory));
      return EXIT_OK;
    } catch (error) {
      view.stop();
      output.err(`geoflock: ${error instanceof Error ? error.message : String(error)}\n`);
      return EXIT_FAILURE;
    } finally {
      generating.abort();
      await Promise.all([door?.close(), pipeline.stop()]);
    }
  });
}

/** @throws UsageError when there is something else in its place, or no right to make it. */
function makeInputFolder(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(
      `the input folder ${directory} cannot be made (${reason}); choose another with --input DIR`,
    );
  }
}

/** The generated files too; after a signal within the deadline for shutting down. */
async function drainAll(
  pipeline: Pipeline,
  configuration: Configuration,
  signal: AbortSignal,
): Promise<NamedModel> {
  const { input, shutdown } = configuration;
  const timeoutMs = signal.aborted ? shutdown.deadline : NO_TIMEOUT_MS;
  const { model } = await pipeline.drain({ settleTimeoutMs: input.settleTimeout }, timeoutMs);
  return await nameModel(model, systemClock);
}

function endText(
  totals: { rows: { read: number; counted: number; rejected: number } },
  model: NamedModel,
  report: string,
): string {
  const { counted, read, rejected } = totals.rows;
  return [
    `rows ${grouped(read)} read, ${grouped(counted)} counted, ${grouped(rejected)} rejected`,
    '',
    ...clusterTable(model),
    '',
    `results: ${relative(process.cwd(), report) || report}/report.html, model.json and more`,
    '',
  ].join('\n');
}

function elapsed(ms: number): Promise<undefined> {
  return new Promise((resolve) => {
    setTimeout(() => {
      resolve(undefined);
    }, ms).unref();
  });
}

/** Redraws the table in place on a terminal; writes plain lines elsewhere. */
function showLive(
  pipeline: Pipeline,
  output: Output,
  terminal: boolean,
  model: () => NamedModel | undefined,
): { stop(): void } {
  const begun = performance.now();
  let before = { at: begun, rows: countedRows(pipeline) };
  let drawn = 0;
  const timer = setInterval(
    () => {
      const at = performance.now();
      const rows = countedRows(pipeline);
      const view: LiveView = {
        elapsedSeconds: (at - begun) / 1000,
        rowsPerSecond: ((rows - before.rows) / (at - before.at)) * 1000,
        model: model(),
      };
      before = { at, rows };
      if (!terminal) {
        output.out(`${liveLine(pipeline, view)}\n`);
        return;
      }
      const lines = liveTable(pipeline, view);
      const up = drawn === 0 ? '' : `\u001b[${String(drawn)}A`;
      output.out(`${up}${lines.map((line) => `\u001b[2K${line}\n`).join('')}\u001b[0J`);
      drawn = lines.length;
    },
    terminal ? TABLE_EVERY_MS : LINE_EVERY_MS,
  );
  return {
    stop: () => {
      clearInterval(timer);
    },
  };
}

/** Rows parsed from the log by now, counted or not yet committed. */
function countedRows(pipeline: Pipeline): number {
  return pipeline.topology.stats.partitions.reduce((rows, partition) => rows + partition.rowsRead, 0);
}
