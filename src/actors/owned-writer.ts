import type { Broker, Membership, Writer } from '../broker/broker.ts';
import {
  AccessDeniedError,
  FencedError,
  NotOwnerError,
  RecordTooLargeError,
  TopicMismatchError,
  TopicLostError,
  UnknownOutcomeError,
} from '../broker/errors.ts';
import type { Clock } from '../system/clock.ts';
import type { Logger } from '../system/logger.ts';
import { pause } from './commit.ts';
import { unlessAborted } from './unless-aborted.ts';

/** By which membership a partition is this process's; none where nobody else can own it. */
export interface Claim {
  readonly partition: number;
  readonly membership: Membership | undefined;
}

/** Between two tries to open a writer while the group does not confirm the claim. */
const RETRY_MS = 1_000;
/** Longer than a rebalance takes: who is still told so then has a problem that a restart must judge. */
const PATIENCE_MS = 90_000;

/**
 * Opens the writer of an owned partition. What speaks against it is waited out here, so that an
 * ordinary rebalance or an outage costs no restart: if the partition is not ours any more the group
 * will say so, and `signal` aborts.
 */
export async function openOwnedWriter(
  broker: Broker,
  name: string,
  { membership, partition }: Claim,
  { clock, log, signal }: { readonly clock: Clock; readonly log: Logger; readonly signal: AbortSignal },
): Promise<Writer> {
  const claim = membership === undefined ? undefined : { membership, partition, signal };
  const until = clock.monotonic() + PATIENCE_MS;
  let told = false;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await unlessAborted(broker.openWriter(name, claim), signal, (late) => late.close());
    } catch (error) {
      const mayHeal = error instanceof NotOwnerError || error instanceof FencedError;
      if (!mayHeal || membership === undefined || clock.monotonic() >= until) {
        throw error;
      }
      if (!told) {
        log.warn({ writer: name, problem: error.message }, 'not opened: waiting for the word of the group');
        told = true;
      }
    }
    await pause(clock, RETRY_MS, signal);
  }
}

/**
 * The writer can do no more, and what is in memory may not be what is committed: let go of both, reopen,
 * restore. Says nothing about who owns the partition.
 */
export function isWriterLost(error: unknown): boolean {
  return (
    error instanceof FencedError || error instanceof UnknownOutcomeError || error instanceof NotOwnerError
  );
}

/** What a restart would meet again. */
export function isBeyondRestart(error: unknown): boolean {
  return (
    error instanceof TopicLostError ||
    error instanceof AccessDeniedError ||
    error instanceof RecordTooLargeError ||
    error instanceof TopicMismatchError
  );
}
