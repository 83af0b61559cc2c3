import { accessSync, constants, mkdirSync } from 'node:fs';
import type { Totals } from '../actors/totals.ts';
import { BrokerError } from '../broker/errors.ts';
import type { Configuration } from '../config/schema.ts';
import { NO_TIMEOUT_MS, type Pipeline } from '../pipeline.ts';
import { AskTimeoutError } from '../system/actor-system.ts';
import type { Logger } from '../system/logger.ts';
import { systemClock } from '../system/clock.ts';
import { guardEventLoop } from '../system/loop-guard.ts';
import { nameModel } from '../places/places.ts';
import { type HttpDoor, HttpDoorError } from '../doors/http/start.ts';
import { openHttpDoor } from './doors.ts';
import { createLogger } from './logging.ts';
import { grouped } from '../report/text.ts';
import { resultJson, resultText } from './result.ts';
import { type OrderlyEnd, untilStopped } from './signals.ts';
import { aborted, startOrSay } from './start.ts';
import { EXIT_FAILURE, EXIT_OK, type Output } from './usage.ts';

export interface RunOptions {
  readonly once: boolean;
  readonly json: boolean;
}

const PROGRESS_EVERY_MS = 500;
/** How often the totals of a group are read again while its other replicas work. */
const ACCOUNT_TRIES = 10;
const ACCOUNT_PAUSE_MS = 200;

/** `geoflock run`: until it is told to stop, or with `once` until all that is there is counted. */
export async function runCommand(
  configuration: Configuration,
  options: RunOptions,
  output: Output,
): Promise<number> {
  const log = await createLogger(configuration.log);
  const problem = reportProblem(configuration.report.directory);
  if (problem !== undefined) {
    output.err(`geoflock: ${problem}\n`);
    return EXIT_FAILURE;
  }
  return await untilStopped(async (signal) => {
    const asked = new AbortController();
    const pipeline = await startOrSay(
      configuration,
      {
        log,
        live: !options.once,
        onConfiguration: (now) => {
          log.setLevel(now.log.level);
        },
        onShutdown: () => {
          asked.abort();
        },
      },
      output,
      signal,
    );
    if (pipeline === undefined) {
      return EXIT_FAILURE;
    }
    const { eventLoopLimit } = configuration.health;
    const unguard =
      eventLoopLimit === null ? undefined : guardEventLoop({ clock: systemClock, limitMs: eventLoopLimit });
    let door: HttpDoor | undefined;
    let end: number | OrderlyEnd;
    try {
      if (options.once) {
        end = await runOnce(pipeline, configuration, options, output, log, signal);
      } else {
        door = await openHttpDoor(pipeline, configuration, log);
        const stop = AbortSignal.any([signal, asked.signal]);
        end = { code: await runUntil(pipeline, configuration, log, stop) };
      }
    } catch (error) {
      if (!(error instanceof BrokerError || error instanceof HttpDoorError)) {
        log.error({ err: error }, 'ended by an error');
      }
      output.err(`geoflock: ${error instanceof Error ? error.message : String(error)}\n`);
      end = options.once ? EXIT_FAILURE : { code: EXIT_FAILURE };
    }
    const [exit] = await Promise.all([pipeline.stop(), door?.close()]);
    unguard?.();
    const wasWell = typeof end !== 'number' && end.code === EXIT_OK;
    if (wasWell && exit.kind === 'failed') {
      output.err(`geoflock: while it stopped: ${String(exit.error)}\n`);
      return { code: EXIT_FAILURE };
    }
    return end;
  });
}

async function runOnce(
  pipeline: Pipeline,
  configuration: Configuration,
  { json }: RunOptions,
  output: Output,
  log: Logger,
  signal: AbortSignal,
): Promise<number> {
  const before = await pipeline.totals();
  const stopProgress = showProgress(pipeline, output);
  const drained = pipeline.drain({ settleTimeoutMs: configuration.input.settleTimeout }, NO_TIMEOUT_MS);
  const published = await Promise.race([drained, aborted(signal)]).finally(stopProgress);
  if (published === undefined) {
    drained.catch(() => undefined);
    return EXIT_FAILURE;
  }
  const totals = await accountedTotals(pipeline, log);
  const { rows } = totals;
  const elapsedSeconds = performance.now() / 1000;
  const result = {
    totals,
    model: await nameModel(published.model, systemClock),
    elapsedSeconds,
    rowsPerSecond: (rows.counted - before.rows.counted) / elapsedSeconds,
  };
  output.out(json ? `${resultJson(result)}\n` : resultText(result, configuration.report.directory));
  const { fileWatcher, publisher } = pipeline.topology.stats;
  const failed = publisher.filesFailed + fileWatcher.failedElsewhere + fileWatcher.unreadable;
  return failed > 0 ? EXIT_FAILURE : EXIT_OK;
}

/** The totals at the end, when every row that was read is counted or rejected. */
async function accountedTotals(pipeline: Pipeline, log: Logger): Promise<Totals> {
  for (let tries = 1; ; tries++) {
    const totals = await pipeline.totals();
    const { counted, read, rejected } = totals.rows;
    if (read === counted + rejected) {
      return totals;
    }
    const said = `${String(read)} rows read, ${String(counted)} counted and ${String(rejected)} rejected`;
    if (pipeline.broker.kind === 'embedded') {
      throw new Error(`accounting is off: ${said}. Please report this with the state folder`);
    }
    // Other replicas may publish and count while the tables are read.
    if (tries === ACCOUNT_TRIES) {
      log.warn(
        totals.rows,
        `not all is accounted for yet: ${said}; no other replica at work? then report it`,
      );
      return totals;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, ACCOUNT_PAUSE_MS);
    });
  }
}

/** Watches until `signal` aborts, then works off what is in the log, as far as the deadline allows. */
async function runUntil(
  pipeline: Pipeline,
  configuration: Configuration,
  log: Logger,
  signal: AbortSignal,
): Promise<number> {
  const { broker, input, state } = configuration;
  const kept = broker.kind === 'kafka' ? { brokers: broker.kafka.brokers } : { state: state.directory };
  log.info(
    { input: input.directory, ...kept },
    'watching; SIGINT or SIGTERM drains and ends, a second one ends at once',
  );
  const exit = await Promise.race([pipeline.terminated, aborted(signal)]);
  if (exit !== undefined) {
    if (exit.kind === 'failed') {
      throw exit.error;
    }
    return EXIT_OK;
  }
  return await endWithin(pipeline, configuration.shutdown.deadline, log);
}

/** The last step of every orderly end; what it does not reach stays in the log for the next start. */
async function endWithin(pipeline: Pipeline, deadlineMs: number, log: Logger): Promise<number> {
  try {
    const { held, published, workedOff } = await pipeline.end(deadlineMs);
    if (held) {
      log.info({}, 'the regions are paused: what was on its way to them is read again at the next start');
    } else if (!workedOff) {
      log.info(
        { deadlineMs },
        'a last checkpoint has what was counted; the rest is in the log and goes on at the next start',
      );
    } else if (published === undefined) {
      log.warn({ deadlineMs }, 'drained, without a last report; the next start makes it');
    } else {
      log.info({}, 'drained; results are in the report folder');
    }
    return EXIT_OK;
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    const late = 'no last checkpoint in time; what was counted since the one before is counted again';
    log.warn({ problem, deadlineMs }, error instanceof AskTimeoutError ? late : 'ended by an error');
    return EXIT_FAILURE;
  }
}

/** One line on stderr that is written over; only on a terminal. Returns the stop. */
function showProgress(pipeline: Pipeline, output: Output): () => void {
  if (!process.stderr.isTTY) {
    return () => undefined;
  }
  const timer = setInterval(() => {
    const { partitions, publisher } = pipeline.topology.stats;
    const counted = partitions.reduce((rows, partition) => rows + partition.rowsCounted, 0);
    output.err(
      `\r\u001b[K${grouped(publisher.filesDone)} files, ${grouped(publisher.rowsRead)} rows read, ` +
        `${grouped(counted)} counted${publisher.file === undefined ? '' : `, reading ${publisher.file}`}`,
    );
  }, PROGRESS_EVERY_MS);
  return () => {
    clearInterval(timer);
    output.err('\r\u001b[K');
  };
}

/** What keeps the report folder from being written, with the remedy. */
export function reportProblem(directory: string): string | undefined {
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `the report folder ${directory} cannot be written (${reason}); choose another with --report DIR`;
  }
}
