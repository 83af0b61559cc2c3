import type { Broker, Membership, Writer } from '../../broker/broker.ts';
import type { Metrics } from '../../metrics/recorder.ts';
import type { Clock } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import { commitWhenThereIsRoom } from '../commit.ts';
import { type Claim, isWriterLost, openOwnedWriter } from '../owned-writer.ts';
import { SETTINGS_PARTITION } from '../rewind/epoch.ts';
import { LIVE_KEY } from '../topics.ts';
import { atMost, unlessAborted } from '../unless-aborted.ts';
import { encodeLiveState, lastLiveState, type LiveState } from './live-clusters.ts';
import type { PublishedModel } from './messages.ts';
import { encodePublished, type ModelKind } from './published-model.ts';

const WRITER = 'models-0';
/** A model that is being published when the topic goes to another owner is given so long. */
const HAND_OVER_MS = 5_000;

export interface ModelWriterDependencies {
  readonly broker: Broker;
  readonly topic: string;
  /** The table with the clusters of the last live model. */
  readonly settings: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly signal: AbortSignal;
}

/** What is committed of the last live model: undefined before the first one. */
export interface Lineage {
  readonly state: LiveState | undefined;
}

interface Opened {
  readonly writer: Writer;
  lineage: Lineage;
}

interface Held {
  readonly claim: Claim;
  readonly stop: AbortController;
  opened: Opened | undefined;
  busy: Promise<void>;
}

/**
 * The right to publish models, as long as the group gives it. The fenced writer is opened when needed;
 * then nobody else can publish, and the clusters of the last live model are read. As long as the writer
 * lasts they are those that were published with it.
 */
export class ModelWriter {
  readonly #own: ModelWriterDependencies;
  #held: Held | undefined;

  constructor(own: ModelWriterDependencies) {
    this.#own = own;
    own.signal.addEventListener('abort', () => this.#held?.stop.abort(), { once: true });
  }

  get owned(): boolean {
    return this.#held !== undefined;
  }

  assigned(membership: Membership): void {
    const claim = { partition: 0, membership };
    this.#held = { claim, stop: new AbortController(), opened: undefined, busy: Promise.resolve() };
  }

  async revoked(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) {
      held.stop.abort();
      await atMost(this.#own.clock, HAND_OVER_MS, held.busy);
      await held.opened?.writer.close();
    }
  }

  /** What a live model is to follow; undefined when it is not known now, or not this process's to know. */
  async lineage(): Promise<Lineage | undefined> {
    return this.#whileHeld(async (held) => (await this.#open(held)).lineage);
  }

  /** Publishes a canonical model; see `publishLive`. */
  async publishCanonical(published: PublishedModel): Promise<boolean> {
    const done = await this.#whileHeld(async (held) =>
      this.#commit(held, await this.#open(held), 'canonical', published),
    );
    return done === true;
  }

  /**
   * Appends a live model to the topic, and commits with it what the next one is to follow.
   * @returns false when it was not published, or is not known to be: the topic is another's, the writer was
   * lost and the next time opens another, or `before` is not the last one any more.
   */
  async publishLive(published: PublishedModel, before: Lineage, live: LiveState): Promise<boolean> {
    const done = await this.#whileHeld(async (held) => {
      const { opened } = held;
      if (opened?.lineage !== before || !(await this.#commit(held, opened, 'live', published, live))) {
        return false;
      }
      opened.lineage = { state: live };
      return true;
    });
    return done === true;
  }

  async #whileHeld<T>(work: (held: Held) => Promise<T>): Promise<T | undefined> {
    const held = this.#held;
    if (held === undefined) {
      return undefined;
    }
    const working = work(held);
    held.busy = working.then(
      () => undefined,
      () => undefined,
    );
    try {
      return await working;
    } catch (error) {
      const { log, signal } = this.#own;
      if (signal.aborted || !(isWriterLost(error) || held.stop.signal.aborted)) {
        throw error;
      }
      log.warn({ problem: String(error) }, 'model not published: it will be with the next');
      const { opened } = held;
      held.opened = undefined;
      await opened?.writer.close();
      return undefined;
    }
  }

  async #open(held: Held): Promise<Opened> {
    if (held.opened === undefined) {
      const { broker, clock, log, settings } = this.#own;
      const { signal } = held.stop;
      const writer = await openOwnedWriter(broker, WRITER, held.claim, { clock, log, signal });
      try {
        const state = await unlessAborted(lastLiveState(broker, settings), signal);
        held.opened = { writer, lineage: { state } };
      } catch (error) {
        await writer.close();
        throw error;
      }
    }
    return held.opened;
  }

  async #commit(
    held: Held,
    { writer }: Opened,
    kind: ModelKind,
    published: PublishedModel,
    live?: LiveState,
  ): Promise<boolean> {
    const { clock, log, metrics, settings, topic } = this.#own;
    const value = encodePublished(kind, published);
    const committed = await commitWhenThereIsRoom(
      writer,
      (transaction) => {
        transaction.append(topic, 0, [{ key: kind, value, timestamp: clock.now() }]);
        if (live !== undefined) {
          transaction.put(settings, SETTINGS_PARTITION, LIVE_KEY, encodeLiveState(live));
        }
      },
      { clock, log, metrics, signal: held.stop.signal, stage: 'aggregator' },
    );
    await committed?.flushed;
    return committed !== undefined;
  }
}
