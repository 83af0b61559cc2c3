import { CommandError } from '../../admin/outcome.ts';
import { ALL, ANY, type CommandRequest, MAX_ID_LENGTH, parseRequest } from '../../admin/request.ts';
import type { Broker, LogRecord } from '../../broker/broker.ts';
import type { Clock, Random } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import { pause } from '../commit.ts';
import type { TopicNames } from '../topics.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { CONTROL_PARTITION } from './control-log.ts';

export interface ControlReaderOptions {
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly replica: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
}

/** No command is valid for longer: what a replica that starts has to look at again is bounded by it. */
const LONGEST_EXPIRY_MS = 24 * 3_600_000;
const READ_BYTES = 64 * 1024;
/** Who reads a command for any replica waits up to so long, so that not all take it in the same moment. */
const LONGEST_SPREAD_MS = 500;

export interface ControlHandlers {
  readonly take: (request: CommandRequest) => Promise<void>;
  /** Told of what is no command. */
  readonly refuse: (record: {
    readonly offset: number;
    readonly id: string;
    readonly problem: string;
  }) => Promise<void>;
}

/**
 * Reads the control topic, as every replica does: from before the oldest command that may still be valid, so
 * that one that is sent while a replica restarts is not missed. What was carried out before is known by its
 * mark, and let be.
 */
export class ControlReader {
  readonly #own: ControlReaderOptions;

  constructor(own: ControlReaderOptions) {
    this.#own = own;
  }

  async run(handle: ControlHandlers, signal: AbortSignal): Promise<void> {
    const { broker, clock, topics } = this.#own;
    const since = clock.now() - LONGEST_EXPIRY_MS;
    // In this order: what comes between the two questions is behind the end.
    const { end } = await unlessAborted(broker.offsets(topics.control, CONTROL_PARTITION), signal);
    const found = await unlessAborted(broker.offsetAt(topics.control, CONTROL_PARTITION, since), signal);
    const reader = await unlessAborted(
      broker.openReader(topics.control, CONTROL_PARTITION, found ?? end),
      signal,
      (late) => late.close(),
    );
    const working = new Set<Promise<void>>();
    try {
      while (!signal.aborted) {
        for (const record of await reader.read(READ_BYTES, signal)) {
          const taken = this.#handle(record, handle, signal).finally(() => working.delete(taken));
          working.add(taken);
          // One that takes its time holds up none; the others keep their order.
          await Promise.race([taken, pause(clock, LONGEST_SPREAD_MS, signal)]);
        }
      }
    } finally {
      await Promise.allSettled(working);
      await reader.close();
    }
  }

  async #handle(record: LogRecord, { refuse, take }: ControlHandlers, signal: AbortSignal): Promise<void> {
    const { broker, clock, log, random } = this.#own;
    const { offset } = record;
    try {
      const request = this.#requestIn(record);
      if (request?.target === ANY && broker.kind === 'kafka') {
        await pause(clock, LONGEST_SPREAD_MS * random(), signal);
      }
      if (request !== undefined) {
        await take(request);
      }
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      log.warn({ offset, problem }, 'a record of the control topic was not carried out');
      if (error instanceof CommandError) {
        await refuse({ offset, id: idIn(record), problem }).catch(() => undefined);
      }
    }
  }

  /**
   * Undefined: it is for others, or has expired.
   * @throws CommandError where it is no command.
   */
  #requestIn({ timestamp, value }: LogRecord): CommandRequest | undefined {
    const { clock, replica } = this.#own;
    if (timestamp + LONGEST_EXPIRY_MS <= clock.now()) {
      return undefined;
    }
    const request = parseRequest(parseJson(value), 'control');
    const mine = [ANY, ALL, replica].includes(request.target);
    const expiresAt = Math.min(request.expiresAt, timestamp + LONGEST_EXPIRY_MS);
    return mine && expiresAt > clock.now() ? { ...request, expiresAt } : undefined;
  }
}

function parseJson(value: Uint8Array | null): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(value ?? new Uint8Array(0)));
  } catch {
    throw new CommandError(
      'invalid',
      'it is no JSON: {"id": ..., "expiresAt": ms, "by": ..., "command": {"name": ...}}',
    );
  }
}

/** By which whoever wrote it may find what became of it. */
function idIn({ key, offset, value }: LogRecord): string {
  try {
    const { id } = parseJson(value) as { readonly id?: unknown };
    if (typeof id === 'string') {
      return id.slice(0, MAX_ID_LENGTH);
    }
  } catch {
    // It has none.
  }
  return key ?? `offset-${String(offset)}`;
}
