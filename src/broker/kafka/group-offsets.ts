import type { Logger } from '../../system/logger.ts';
import type { GroupRequests, Identity } from './group-requests.ts';

/** Commits offsets for display, one request at a time. What fails is passed over: a later offset follows. */
export class GroupOffsets {
  readonly #requests: GroupRequests;
  readonly #log: Logger;
  #pending = new Map<number, number>();
  #committing: Promise<void> | undefined;

  constructor(requests: GroupRequests, log: Logger) {
    this.#requests = requests;
    this.#log = log;
  }

  /** `identity` is asked when the request is made; undefined: not a member any more. */
  async commit(partition: number, offset: number, identity: () => Identity | undefined): Promise<void> {
    this.#pending.set(partition, offset);
    this.#committing ??= this.#commitAll(identity).finally(() => {
      this.#committing = undefined;
    });
    await this.#committing;
  }

  async #commitAll(identity: () => Identity | undefined): Promise<void> {
    // What is told in the same turn goes together.
    await Promise.resolve();
    while (this.#pending.size > 0) {
      const offsets = this.#pending;
      this.#pending = new Map();
      const member = identity();
      if (member === undefined) {
        return;
      }
      try {
        await this.#requests.commitOffsets(member, offsets);
      } catch (error) {
        this.#log.debug({ err: error }, 'offsets of the consumer group could not be shown');
      }
    }
  }
}
