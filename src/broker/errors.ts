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

/** Another process owns the store. */
export class StoreLockedError extends BrokerError {
  override readonly name = 'StoreLockedError';
}

/** The store cannot be opened: not writable, not a store, written by another format version. */
export class StoreUnusableError extends BrokerError {
  override readonly name = 'StoreUnusableError';
}
