/** Failures of the broker port. Each names the thing, the value and the remedy. */

export class BrokerError extends Error {
  override readonly name: string = 'BrokerError';
}

/** Another writer of the same name was opened. Not proof that ownership is lost: reopen and restore. */
export class FencedError extends BrokerError {
  override readonly name = 'FencedError';
}

/** No room; nothing was written. The caller pauses and tries again. */
export class BrokerFullError extends BrokerError {
  override readonly name = 'BrokerFullError';
}

/** The commit may or may not have taken effect: drop the writer, reopen, restore. */
export class UnknownOutcomeError extends BrokerError {
  override readonly name = 'UnknownOutcomeError';
}

/** A topic exists with another shape than the configuration asks for. */
export class TopicMismatchError extends BrokerError {
  override readonly name = 'TopicMismatchError';
}

/** What is asked about was never made. */
export function missingTopics(names: readonly string[]): TopicMismatchError {
  return new TopicMismatchError(
    `there is nothing yet: no topic ${names.join(', ')}; check topics.prefix, topics.group and where the state ` +
      'is kept, or run `geoflock run` first',
  );
}

/** Another process owns the store. */
export class StoreLockedError extends BrokerError {
  override readonly name = 'StoreLockedError';
}

/** The store cannot be opened: not writable, not a store, written by another format version. */
export class StoreUnusableError extends BrokerError {
  override readonly name = 'StoreUnusableError';
}

/** The partition is not, or no longer, this process's: whoever owns it goes on. */
export class NotOwnerError extends BrokerError {
  override readonly name = 'NotOwnerError';
}

/** The broker cannot be reached. Waited out while running; at the start only for so long. */
export class BrokerUnavailableError extends BrokerError {
  override readonly name = 'BrokerUnavailableError';
}

/** The broker refused: credentials, or a right that is missing. */
export class AccessDeniedError extends BrokerError {
  override readonly name = 'AccessDeniedError';
}

/** A topic that was there is gone, or shorter than what was read of it: deleted, perhaps made anew. */
export class TopicLostError extends BrokerError {
  override readonly name = 'TopicLostError';
}

/** A record does not fit into what the broker accepts for its topic. */
export class RecordTooLargeError extends BrokerError {
  override readonly name = 'RecordTooLargeError';
}
