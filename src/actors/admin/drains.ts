import type { ActorContext, Address } from '../../system/actor.ts';
import type { AggregatorMessage, PublishedModel } from '../centroid-aggregator/messages.ts';
import type { IngestMessage } from '../ingest/messages.ts';
import type { PartitionsMessage } from '../partitions/messages.ts';
import type { ReporterMessage } from '../reporter/messages.ts';
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
      // Whoever sweeps wants all that is there counted, by whomever; whoever ends hands on what is not done.
      await this.#rows((reply) => ({ type: 'drain', scope: 'group', reply }), this.#context.signal);
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
        await this.#rows((reply) => ({ type: 'drain', scope: 'own', reply }), signal);
      }
      return true;
    });
    if (!held && (paused || drained === undefined)) {
      await this.#rows((reply) => ({ type: 'checkpoint', reply }), this.#context.signal);
    }
    const published =
      drained === undefined
        ? undefined
        : await this.#inTime(until(MODEL_UNTIL), (signal) => this.#lastModel(signal));
    // Rows of others have been read meanwhile.
    await this.#inTime(until(LET_GO_UNTIL), (signal) =>
      this.#rows((reply) => ({ type: 'let-go', reply }), signal),
    );
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

  async #model(signal: AbortSignal): Promise<PublishedModel> {
    const { aggregator, reporter } = this.#ports;
    const published = await this.#ask<AggregatorMessage, PublishedModel>(
      aggregator,
      (reply) => ({ type: 'publish-canonical', reply }),
      signal,
    );
    const problem = await this.#ask<ReporterMessage, unknown>(
      reporter,
      (reply) => ({ type: 'report', published, reply }),
      signal,
    );
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

  async #files(message: (reply: () => void) => IngestMessage, signal: AbortSignal): Promise<void> {
    await this.#ask(this.#ports.ingest, message, signal);
  }

  async #rows(message: (reply: () => void) => PartitionsMessage, signal: AbortSignal): Promise<void> {
    await this.#ask(this.#ports.partitionsActor, message, signal);
  }

  async #ask<M, T = void>(
    to: Address<M>,
    message: (reply: (answer: T) => void) => M,
    signal: AbortSignal,
  ): Promise<T> {
    const answered = new Promise<T>((reply) => {
      this.#context.tell(to, message(reply));
    });
    return await unlessAborted(answered, signal);
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
