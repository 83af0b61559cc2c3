import type { Broker, Membership, Writer } from '../../broker/broker.ts';
import type { Clock } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import { commitWhenThereIsRoom } from '../commit.ts';
import { type Claim, isWriterLost, openOwnedWriter } from '../owned-writer.ts';
import { atMost } from '../unless-aborted.ts';
import type { PublishedModel } from './messages.ts';
import { encodePublished, type ModelKind } from './published-model.ts';

const WRITER = 'models-0';
/** A model that is being published when the topic goes to another owner is given so long. */
const HAND_OVER_MS = 5_000;

export interface ModelWriterDependencies {
  readonly broker: Broker;
  readonly topic: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

interface Held {
  readonly claim: Claim;
  readonly stop: AbortController;
  writer: Writer | undefined;
  busy: Promise<void>;
}

/** The right to publish models, as long as the group gives it; the fenced writer is opened when needed. */
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
    this.#held = { claim, stop: new AbortController(), writer: undefined, busy: Promise.resolve() };
  }

  async revoked(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    if (held !== undefined) {
      held.stop.abort();
      await atMost(this.#own.clock, HAND_OVER_MS, held.busy);
      await held.writer?.close();
    }
  }

  /**
   * Appends a model to the topic.
   * @returns false when it was not published, or is not known to be: the topic is another's, or the
   * writer was lost; the next time opens another.
   */
  async publish(kind: ModelKind, published: PublishedModel): Promise<boolean> {
    const held = this.#held;
    if (held === undefined) {
      return false;
    }
    const publishing = this.#append(held, kind, published);
    held.busy = publishing.then(
      () => undefined,
      () => undefined,
    );
    try {
      return await publishing;
    } catch (error) {
      const { log, signal } = this.#own;
      if (signal.aborted || !(isWriterLost(error) || held.stop.signal.aborted)) {
        throw error;
      }
      log.warn({ problem: String(error) }, 'model not published: it will be with the next');
      const { writer } = held;
      held.writer = undefined;
      await writer?.close();
      return false;
    }
  }

  async #append(held: Held, kind: ModelKind, published: PublishedModel): Promise<boolean> {
    const { broker, clock, log, topic } = this.#own;
    const { signal } = held.stop;
    held.writer ??= await openOwnedWriter(broker, WRITER, held.claim, { clock, log, signal });
    const value = encodePublished(kind, published);
    const committed = await commitWhenThereIsRoom(
      held.writer,
      (transaction) => {
        transaction.append(topic, 0, [{ key: kind, value, timestamp: clock.now() }]);
      },
      { clock, log, signal },
    );
    await committed?.flushed;
    return committed !== undefined;
  }
}
