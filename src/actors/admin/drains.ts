import type { ActorContext } from '../../system/actor.ts';
import type { PublishedModel } from '../centroid-aggregator/messages.ts';
import type { IngestMessage } from '../ingest/messages.ts';
import { unlessAborted } from '../unless-aborted.ts';
import type { Drains, CommandPorts } from './command-ports.ts';
import type { AdminMessage, Ending } from './messages.ts';

type DrainPorts = Pick<
  CommandPorts,
  'aggregator' | 'configuration' | 'ending' | 'ingest' | 'partitionsActor' | 'reporter' | 'stages'
>;

/**
 * Parts of the deadline of an end: until when the log is worked off, the model is waited for, and the partitions have
 * written what has come meanwhile.
 */
const WORK_OFF_UNTIL = 0.6;
const MODEL_UNTIL = 0.9;
const LET_GO_UNTIL = 0.98;

/** Brings everything that is there to its end, in the order of the data path: one drain after another. */
export class DrainsInTurn implements Drains {
  readonly #ports: DrainPorts;
  readonly #context: ActorContext<AdminMessage>;
  #open = 0;
  #ending = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(ports: DrainPorts, context: ActorContext<AdminMessage>) {
    this.#ports = ports;
    this.#context = context;
  }

  get running(): boolean {
    return this.#open > 0;
  }

  get ending(): boolean {
    return this.#ending;
  }

  beginToEnd(): void {
    this.#ending = true;
    this.#ports.ending();
  }

  async sweep(): Promise<PublishedModel> {
    const { settleTimeout } = this.#ports.configuration.input;
    return await this.run({ settleTimeoutMs: settleTimeout });
  }

  /** Counts all that is there, by whichever replica, then publishes the canonical model. */
  async run(sweep: { readonly settleTimeoutMs: number }): Promise<PublishedModel> {
    // A sweep knows the files of one request.
    const turn = this.#last.then(async () => {
      await this.#files((reply) => ({ type: 'sweep', ...sweep, reply }), this.#context.signal);
      await this.#rows('group', this.#context.signal);
      return await this.#model(this.#context.signal);
    });
    this.#last = turn.catch(() => undefined);
    return await this.#counted(turn);
  }

  /**
   * The sources stop, and what is in the log for this replica is worked off, as far as `deadlineMs` allows: under
   * load that may be little. The last part of that time is for a checkpoint. Waits for no sweep, which may take long.
   */
  async end(deadlineMs: number): Promise<Ending> {
    this.beginToEnd();
    return await this.#counted(this.#end(deadlineMs));
  }

  async #end(deadlineMs: number): Promise<Ending> {
    const { stages } = this.#ports;
    const deadline = this.#context.clock.monotonic() + deadlineMs;
    const until = (share: number): number => deadline - (1 - share) * deadlineMs;
    // Whoever stops while these are paused leaves in the log what they would have counted. What waits for paused regions
    // is in no checkpoint.
    const held = stages.isPaused('regions');
    const paused = held || stages.isPaused('partitions');
    const drained = await this.#inTime(until(WORK_OFF_UNTIL), async (signal) => {
      await this.#files((reply) => ({ type: 'close', reply }), signal);
      if (!paused) {
        await this.#rows('own', signal);
      }
      return true;
    });
    if (!held && (paused || drained === undefined)) {
      await this.#checkpoint(this.#context.signal);
    }
    const published =
      drained === undefined
        ? undefined
        : await this.#inTime(until(MODEL_UNTIL), (signal) => this.#lastModel(signal));
    // Rows of others have been read meanwhile.
    await this.#inTime(until(LET_GO_UNTIL), (signal) => this.#letGo(signal));
    return { workedOff: !paused && drained === true, held, published };
  }

  async #counted<T>(turn: Promise<T>): Promise<T> {
    this.#open++;
    try {
      return await turn;
    } finally {
      this.#open--;
    }
  }

  async #files(message: (reply: () => void) => IngestMessage, signal: AbortSignal): Promise<void> {
    await this.#answer<undefined>((reply) => {
      this.#context.tell(this.#ports.ingest, message(done(reply)));
    }, signal);
  }

  /** Who sweeps wants all that is there counted, by whomever; who stops hands on what is not done. */
  async #rows(scope: 'own' | 'group', signal: AbortSignal): Promise<void> {
    await this.#answer<undefined>((reply) => {
      this.#context.tell(this.#ports.partitionsActor, { type: 'drain', scope, reply: done(reply) });
    }, signal);
  }

  async #checkpoint(signal: AbortSignal): Promise<void> {
    await this.#answer<undefined>((reply) => {
      this.#context.tell(this.#ports.partitionsActor, { type: 'checkpoint', reply: done(reply) });
    }, signal);
  }

  async #letGo(signal: AbortSignal): Promise<void> {
    await this.#answer<undefined>((reply) => {
      this.#context.tell(this.#ports.partitionsActor, { type: 'let-go', reply: done(reply) });
    }, signal);
  }

  async #model(signal: AbortSignal): Promise<PublishedModel> {
    const { aggregator, reporter } = this.#ports;
    const published = await this.#answer<PublishedModel>((reply) => {
      this.#context.tell(aggregator, { type: 'publish-canonical', reply });
    }, signal);
    const problem = await this.#answer<unknown>((reply) => {
      this.#context.tell(reporter, { type: 'report', published, reply });
    }, signal);
    if (problem !== undefined) {
      throw problem instanceof Error ? problem : new Error('the report was not written');
    }
    return published;
  }

  /** No report that cannot be written keeps the process from an orderly end. */
  async #lastModel(signal: AbortSignal): Promise<PublishedModel | undefined> {
    try {
      return await this.#model(signal);
    } catch (error) {
      if (!signal.aborted) {
        this.#context.log.warn({ problem: String(error) }, 'ended without the last report');
      }
      return undefined;
    }
  }

  async #answer<T>(tell: (reply: (answer: T) => void) => void, signal: AbortSignal): Promise<T> {
    return await unlessAborted(new Promise(tell), signal);
  }

  /** What `work` resolves to, or undefined where it is not done at `at` (monotonic ms). */
  async #inTime<T>(at: number, work: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    const { clock, signal } = this.#context;
    const late = new AbortController();
    const cancel = clock.after(Math.max(0, at - clock.monotonic()), () => {
      late.abort();
    });
    try {
      return await work(AbortSignal.any([signal, late.signal]));
    } catch (error) {
      if (late.signal.aborted && !signal.aborted) {
        return undefined;
      }
      throw error;
    } finally {
      cancel();
    }
  }
}

/** An answer that says nothing but that it is done. */
function done(reply: (answer: undefined) => void): () => void {
  return () => {
    reply(undefined);
  };
}
