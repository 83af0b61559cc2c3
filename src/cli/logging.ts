import { destination, type Logger as PinoLogger, pino, stdSerializers, stdTimeFunctions } from 'pino';
import { BrokerError } from '../broker/errors.ts';
import type { Configuration } from '../config/schema.ts';
import type { Logger } from '../system/logger.ts';

type Level = Configuration['log']['level'];

/** A logger of which the level can be set while it runs, also for what came from it before. */
export interface LevelledLogger extends Logger {
  setLevel(level: Level): void;
}

export interface LoggingOptions {
  readonly level: Level;
  readonly format: Configuration['log']['format'];
  /** Default: whether stderr is a terminal. */
  readonly terminal?: boolean;
  /** File descriptor or path. Default: stderr. */
  readonly to?: number | string;
}

/**
 * The process's logger: JSON lines, or text for people when `format` says so or stderr is a terminal.
 * stdout is left to results. Every line is written before the call returns, so that none is lost when
 * the process ends.
 */
export async function createLogger(options: LoggingOptions): Promise<LevelledLogger> {
  const terminal = options.terminal ?? process.stderr.isTTY;
  const human = options.format === 'human' || (options.format === 'auto' && terminal);
  const output = destination({ dest: options.to ?? 2, sync: true });
  output.on('error', () => {
    // Nobody reads the log any more (a closed pipe, a full disk). That is no reason to stop working,
    // and there is no place left to say it.
  });
  const settings = {
    level: 'debug',
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    serializers: { err: tellError },
  };
  const logger: PinoLogger = human
    ? pino(settings, await humanStream(output, terminal))
    : pino({ ...settings, formatters: { level: (label) => ({ level: label }) } }, output);
  const least = { rank: RANKS[options.level] };
  return {
    ...filtered(logger, least),
    setLevel: (level) => {
      least.rank = RANKS[level];
    },
  };
}

/** By how much a line matters. */
const RANKS: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };

/** All that come from one logger share its level: pino's children keep that of their beginning. */
function filtered(logger: PinoLogger, least: { readonly rank: number }): Logger {
  const at =
    (level: Exclude<Level, 'silent'>) =>
    (fields: object, message: string): void => {
      if (RANKS[level] >= least.rank) {
        logger[level](fields, message);
      }
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => filtered(logger.child(fields), least),
  };
}

/** What the broker's errors say is meant for the operator; where in the code it was found is not. */
function tellError(error: Error): object {
  const expected = error instanceof BrokerError && error.name !== 'BrokerError';
  return expected ? { type: error.name, message: error.message } : stdSerializers.err(error);
}

async function humanStream(
  output: ReturnType<typeof destination>,
  terminal: boolean,
): Promise<NodeJS.WritableStream> {
  const { default: pretty } = await import('pino-pretty');
  const noColor = process.env['NO_COLOR'] ?? '';
  return pretty({
    destination: output,
    colorize: terminal && noColor === '',
    translateTime: 'SYS:HH:MM:ss.l',
    singleLine: true,
  });
}
