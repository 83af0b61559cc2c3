import type { ActorContext } from '../../system/actor.ts';
import type { PublishedModel } from '../centroid-aggregator/messages.ts';
import { unlessAborted } from '../unless-aborted.ts';
import type { Drains, CommandPorts } from './command-ports.ts';
import type { AdminMessage } from './messages.ts';

type DrainPorts = Pick<
  CommandPorts,
  'aggregator' | 'configuration' | 'ending' | 'ingest' | 'partitionsActor' | 'reporter' | 'stages'
>;

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

  end(): void {
    this.#ending = true;
    this.#ports.ending();
  }

  async sweep(): Promise<PublishedModel> {
    return await this.run({ settleTimeoutMs: this.#ports.configuration.input.settleTimeout });
  }

  /** @param sweep undefined: the sources stop, and what is read is worked off. */
  async run(sweep: { readonly settleTimeoutMs: number } | undefined): Promise<PublishedModel> {
    this.#open++;
    if (sweep === undefined) {
      this.end();
    }
    // A sweep knows the files of one request. Whoever stops does not wait for one that may take long.
    const turn = sweep === undefined ? this.#drain(undefined) : this.#last.then(() => this.#drain(sweep));
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      this.#open--;
    }
  }

  async #drain(sweep: { readonly settleTimeoutMs: number } | undefined): Promise<PublishedModel> {
    const { aggregator, ingest, partitionsActor, reporter, stages } = this.#ports;
    const context = this.#context;
    const asked = <T>(tell: (reply: (answer: T) => void) => void): Promise<T> =>
      unlessAborted(new Promise(tell), context.signal);
    await asked<undefined>((reply) => {
      context.tell(
        ingest,
        sweep === undefined
          ? { type: 'close', reply: done(reply) }
          : { type: 'sweep', settleTimeoutMs: sweep.settleTimeoutMs, reply: done(reply) },
      );
    });
    // Who sweeps wants all that is there counted, by whomever; who stops hands on what is not done.
    const scope = sweep === undefined ? 'own' : 'group';
    // Whoever stops while these are paused leaves in the log what they would have counted.
    const held = sweep === undefined && (stages.isPaused('partitions') || stages.isPaused('regions'));
    if (!held) {
      await asked<undefined>((reply) => {
        context.tell(partitionsActor, { type: 'drain', scope, reply: done(reply) });
      });
    }
    const published = await asked<PublishedModel>((reply) => {
      context.tell(aggregator, { type: 'publish-canonical', reply });
    });
    const problem = await asked<unknown>((reply) => {
      context.tell(reporter, { type: 'report', published, reply });
    });
    if (problem !== undefined) {
      throw problem instanceof Error ? problem : new Error('the report was not written');
    }
    return published;
  }
}

/** An answer that says nothing but that it is done. */
function done(reply: (answer: undefined) => void): () => void {
  return () => {
    reply(undefined);
  };
}
