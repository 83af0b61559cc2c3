import { randomUUID } from 'node:crypto';
import { CommandError, type Outcome } from '../../admin/outcome.ts';
import { COMMANDS } from '../../admin/commands.ts';
import { type CommandRequest, MAX_BY_LENGTH } from '../../admin/request.ts';
import type { Broker, OutgoingRecord, Transaction, Writer } from '../../broker/broker.ts';
import type { Clock, Random } from '../../system/clock.ts';
import { SETTINGS_PARTITION } from '../rewind/epoch.ts';
import { SETTINGS_WRITER } from '../rewind/request-rewind.ts';
import { COMMAND_PREFIX, type TopicNames } from '../topics.ts';
import { failureOf, isRefusal } from './failure.ts';
import { withContestedWriter } from '../writer-race.ts';

export interface ControlLogPorts {
  readonly broker: Broker;
  readonly topics: TopicNames;
  readonly clock: Clock;
  readonly random: Random;
  /** Name of this replica. */
  readonly replica: string;
}

/** What is known of a command that was admitted. */
interface Mark {
  /** Of the call that wrote it: after a commit whose end is not known it says whose it was. */
  readonly token: string;
  readonly at: number;
  readonly expiresAt: number;
  readonly replica: string;
  /** Missing while it is being carried out, and for ever where the replica ended meanwhile. */
  readonly outcome?: Outcome;
}

/** What a command does to what all replicas share. */
export interface SharedChange {
  readonly result: unknown;
  /** What is to be done once it is committed. */
  readonly after?: () => Promise<void>;
}

/** The one partition of the topics of commands and of replies. */
export const CONTROL_PARTITION = 0;
const FORMAT_VERSION = 1;
/** A mark is kept so long after its command has expired: clocks differ. */
const KEPT_AFTER_EXPIRY_MS = 24 * 3_600_000;
/** Marks removed with one that is added. */
const REMOVED_AT_ONCE = 20;
/** Records that wait for a broker that is away. */
const MOST_TOLD = 10_000;
/** Of an answer that stands in the audit as a whole. */
const MOST_RESULT_BYTES = 256 * 1024;

/**
 * The record of all commands: a mark for each that was admitted, so that none is carried out twice, whoever
 * reads it again, and a record for each outcome on the topic of replies, which is the audit.
 *
 * A command that acts on a replica is marked before it begins: at most once, also when the replica is killed
 * in the middle. One that acts on what is shared is marked in the transaction of its effect: exactly once.
 */
export class ControlLog {
  readonly #own: ControlLogPorts;
  readonly #told: OutgoingRecord[] = [];
  #flushing = false;
  /** One write after another: two at once would fence each other. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(own: ControlLogPorts) {
    this.#own = own;
  }

  /**
   * Marks a command that acts on this replica.
   * @returns the outcome of the same command before, which is not to be carried out again; else undefined.
   */
  async admit(request: CommandRequest, signal: AbortSignal): Promise<Outcome | undefined> {
    const key = this.#keyOf(request);
    const token = randomUUID();
    return await this.#write(async (transaction) => {
      const before = await this.#mark(key);
      if (before !== undefined) {
        return before.token === token ? undefined : outcomeBefore(request, before);
      }
      refuseLate(request, signal);
      this.#put(transaction, key, this.#markOf(request, token));
      await this.#removeOld(transaction);
      return undefined;
    });
  }

  /** Records the outcome of a command that was admitted. */
  async finished(request: CommandRequest, outcome: Outcome): Promise<void> {
    const key = this.#keyOf(request);
    const record = this.#record(request, outcome);
    await this.#write((transaction) => {
      this.#put(transaction, key, { ...this.#markOf(request, randomUUID()), outcome: kept(outcome) });
      this.#append(transaction, [record]);
      return Promise.resolve();
    });
  }

  /** Records what was answered, with the next flush: it changed nothing. */
  answered(request: CommandRequest, outcome: Outcome): void {
    if (this.#told.length < MOST_TOLD) {
      this.#told.push(this.#record(request, outcome));
    }
  }

  /** Writes the records that wait for it. */
  async flush(): Promise<void> {
    if (this.#told.length === 0 || this.#flushing) {
      return;
    }
    this.#flushing = true;
    try {
      const told = [...this.#told];
      await this.#write((transaction) => {
        this.#append(transaction, told);
        return Promise.resolve();
      });
      this.#told.splice(0, told.length);
    } finally {
      this.#flushing = false;
    }
  }

  /**
   * Carries out a command that acts on what is shared, with its mark and its record in one transaction. When
   * it was carried out before, by whomever, the outcome of then.
   */
  async share(
    request: CommandRequest,
    change: (transaction: Transaction) => Promise<SharedChange>,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const key = COMMAND_PREFIX + request.id;
    const token = randomUUID();
    let after: SharedChange['after'];
    const outcome = await this.#inTurn(SETTINGS_WRITER, async (writer) => {
      await this.#refresh();
      const before = await this.#mark(key);
      if (before !== undefined) {
        return before.token === token && before.outcome !== undefined
          ? before.outcome
          : outcomeBefore(request, before);
      }
      refuseLate(request, signal);
      let transaction = writer.begin();
      let made: Outcome;
      try {
        const changed = await change(transaction);
        after = changed.after;
        made = { status: 'done', result: changed.result };
      } catch (error) {
        await transaction.abort();
        // What was only cut short may be done by another replica. What is refused is so for all.
        if (!isRefusal(error)) {
          throw error;
        }
        made = failureOf(error);
        transaction = writer.begin();
      }
      this.#put(transaction, key, { ...this.#markOf(request, token), outcome: kept(made) });
      this.#append(transaction, [this.#record(request, made)]);
      await this.#removeOld(transaction);
      await (await transaction.commit()).flushed;
      return made;
    });
    await after?.();
    return outcome;
  }

  /** Takes a command that any replica may carry out; false when another has, or this one before. */
  async claim(request: CommandRequest): Promise<boolean> {
    const key = COMMAND_PREFIX + request.id;
    const token = randomUUID();
    return await this.#inTurn(SETTINGS_WRITER, async (writer) => {
      await this.#refresh();
      const before = await this.#mark(key);
      if (before !== undefined) {
        return before.token === token;
      }
      const transaction = writer.begin();
      this.#put(transaction, key, this.#markOf(request, token));
      await (await transaction.commit()).flushed;
      return true;
    });
  }

  /** Puts a command on the control topic, for other replicas. */
  async send({ by, command, expiresAt, id, target }: CommandRequest): Promise<void> {
    const { clock, replica, topics } = this.#own;
    const { name, parameters } = command;
    const via = `${by} via ${replica}`.slice(0, MAX_BY_LENGTH);
    const record = { id, target, expiresAt, by: via, command: { name, ...parameters } };
    const value = new TextEncoder().encode(JSON.stringify(record));
    await this.#write((transaction) => {
      transaction.append(topics.control, CONTROL_PARTITION, [{ key: id, value, timestamp: clock.now() }]);
      return Promise.resolve();
    });
  }

  /** Records what stood on the control topic and is no command. */
  async refused(record: {
    readonly offset: number;
    readonly id: string;
    readonly problem: string;
  }): Promise<void> {
    const { clock, replica } = this.#own;
    const { id, offset, problem } = record;
    const at = clock.now();
    const error = { code: 'invalid', message: problem };
    const told = {
      id,
      replica,
      at: new Date(at).toISOString(),
      door: 'control',
      offset,
      status: 'failed',
      error,
    };
    await this.#write((transaction) => {
      this.#append(transaction, [{ key: id, value: encode(told), timestamp: at }]);
      return Promise.resolve();
    });
  }

  /** Whether a shared command of this id was carried out, by whomever. */
  async isDone(id: string): Promise<boolean> {
    await this.#refresh();
    return (await this.#mark(COMMAND_PREFIX + id)) !== undefined;
  }

  async #write<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    return await this.#inTurn(`control-${this.#own.replica}`, async (writer) => {
      await this.#refresh();
      const transaction = writer.begin();
      const result = await work(transaction);
      await (await transaction.commit()).flushed;
      return result;
    });
  }

  async #inTurn<T>(name: string, work: (writer: Writer) => Promise<T>): Promise<T> {
    const turn = this.#writing.then(() => withContestedWriter(this.#own.broker, name, this.#own, work));
    this.#writing = turn.catch(() => undefined);
    return await turn;
  }

  async #refresh(): Promise<void> {
    const { broker, topics } = this.#own;
    await broker.refreshTable(topics.settings, SETTINGS_PARTITION);
  }

  #keyOf({ id }: CommandRequest): string {
    return `${COMMAND_PREFIX}${id}/${this.#own.replica}`;
  }

  #markOf({ expiresAt }: CommandRequest, token: string): Mark {
    const { clock, replica } = this.#own;
    return { token, at: clock.now(), expiresAt, replica };
  }

  async #mark(key: string): Promise<Mark | undefined> {
    const { broker, topics } = this.#own;
    const stored = await broker.tableGet(topics.settings, SETTINGS_PARTITION, key);
    return stored === undefined ? undefined : decodeMark(stored);
  }

  #put(transaction: Transaction, key: string, mark: Mark): void {
    transaction.put(this.#own.topics.settings, SETTINGS_PARTITION, key, encode(mark));
  }

  async #removeOld(transaction: Transaction): Promise<void> {
    const { broker, clock, topics } = this.#own;
    const before = clock.now() - KEPT_AFTER_EXPIRY_MS;
    let removed = 0;
    for await (const { key, value } of broker.tableEntries(
      topics.settings,
      SETTINGS_PARTITION,
      COMMAND_PREFIX,
    )) {
      if (decodeMark(value).expiresAt < before) {
        transaction.put(topics.settings, SETTINGS_PARTITION, key, null);
        removed++;
      }
      if (removed === REMOVED_AT_ONCE) {
        return;
      }
    }
  }

  #append(transaction: Transaction, records: readonly OutgoingRecord[]): void {
    transaction.append(this.#own.topics.replies, CONTROL_PARTITION, records);
  }

  /** The audit record: who, when, through which door, what, and how it ended. */
  #record(request: CommandRequest, outcome: Outcome): OutgoingRecord {
    const { clock, replica } = this.#own;
    const { by, command, door, id, target } = request;
    const { name, parameters } = command;
    const at = clock.now();
    const told = {
      id,
      replica,
      at: new Date(at).toISOString(),
      by,
      door,
      target,
      command: { name, ...parameters },
    };
    return { key: id, value: encode({ ...told, ...toldOutcome(request, outcome) }), timestamp: at };
  }
}

/** Who asked has been told that it was not done in time: it is not to be done later. */
function refuseLate({ command }: CommandRequest, signal: AbortSignal): void {
  if (signal.aborted) {
    throw new CommandError('expired', `${command.name} could not be begun before it expired: it is not done`);
  }
}

/** What is answered to the same command again: not what would not fit a record. */
function kept(outcome: Outcome): Outcome {
  const bytes = outcome.status === 'done' ? sizeOf(outcome.result) : 0;
  return bytes <= MOST_RESULT_BYTES ? outcome : { status: 'done', result: { tooLong: bytes } };
}

function sizeOf(result: unknown): number {
  return Buffer.byteLength(JSON.stringify(result ?? null));
}

/** What only was looked at is answered through the door it was asked at. */
function toldOutcome({ command, door }: CommandRequest, outcome: Outcome): object {
  if (outcome.status === 'failed') {
    return outcome;
  }
  if (COMMANDS[command.name].scope === 'query' && door !== 'control') {
    return { status: outcome.status };
  }
  const bytes = sizeOf(outcome.result);
  return bytes <= MOST_RESULT_BYTES
    ? outcome
    : {
        status: outcome.status,
        resultBytes: bytes,
        note: 'too long for a record: ask for less, or over HTTP',
      };
}

function outcomeBefore({ id }: CommandRequest, { at, outcome, replica }: Mark): Outcome {
  return (
    outcome ?? {
      status: 'failed',
      error: {
        code: 'already-done',
        message:
          `command ${id} was begun by ${replica} at ${new Date(at).toISOString()} and its outcome is not known: ` +
          'look at status, and send it under another id if it is to be done again',
      },
    }
  );
}

function encode(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ version: FORMAT_VERSION, ...value }));
}

/** @throws Error when it was written by a format this version does not know. */
function decodeMark(bytes: Uint8Array): Mark {
  const { version, ...mark } = JSON.parse(new TextDecoder().decode(bytes)) as Mark & { version: unknown };
  if (version !== FORMAT_VERSION) {
    throw new CommandError(
      'unavailable',
      `a command has format version ${String(version)}, this program knows ${String(FORMAT_VERSION)}: a replica ` +
        'is of another version of Geoflock; run the same in all',
    );
  }
  return mark;
}
