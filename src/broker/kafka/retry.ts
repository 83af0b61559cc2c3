/** Waiting out a broker that is away, and what its answers mean to us. */
import { randomInt } from 'node:crypto';
import type { Clock, Random } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import {
  AccessDeniedError,
  BrokerError,
  BrokerUnavailableError,
  FencedError,
  RecordTooLargeError,
  TopicLostError,
} from '../errors.ts';
import {
  certificateProblem,
  errorType,
  isAuthenticationFailure,
  isNoAnswer,
  silentBroker,
} from './kafka-error.ts';

const FIRST_BACKOFF_MS = 50;
const MAX_BACKOFF_MS = 2_000;
/** The end of the former transaction is milliseconds away as a rule. */
const CONCURRENT_BACKOFF_MS = 4;
/**
 * What is waited out for so long, and then believed: the news of a topic takes time to reach all brokers, and
 * a transaction coordinator knows no better answer than UNKNOWN while it fences a former epoch.
 */
const BELIEVED_AFTER_MS = 15_000;
const SOON_OTHERWISE: ReadonlySet<string> = new Set(['UNKNOWN', 'UNKNOWN_TOPIC_OR_PARTITION']);
/** What is over sooner is nothing that anybody needs to know of. */
const WORTH_A_WARNING_MS = 1_000;

/** Answers that say: not now, or not here. The request had no effect, or may be made again. */
const NOT_NOW: ReadonlySet<string> = new Set([
  'BROKER_NOT_AVAILABLE',
  'CONCURRENT_TRANSACTIONS',
  'ELIGIBLE_LEADERS_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
  'KAFKA_STORAGE_ERROR',
  'LEADER_NOT_AVAILABLE',
  'LISTENER_NOT_FOUND',
  'NETWORK_EXCEPTION',
  'NOT_CONTROLLER',
  'NOT_COORDINATOR_FOR_GROUP',
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'NOT_LEADER_FOR_PARTITION',
  'OFFSET_NOT_AVAILABLE',
  'PREFERRED_LEADER_NOT_AVAILABLE',
  'REPLICA_NOT_AVAILABLE',
  'REQUEST_TIMED_OUT',
  'STALE_BROKER_EPOCH',
  'STALE_CONTROLLER_EPOCH',
  'THROTTLING_QUOTA_EXCEEDED',
  'UNKNOWN_LEADER_EPOCH',
  'UNSTABLE_OFFSET_COMMIT',
]);

const FENCED: ReadonlySet<string> = new Set([
  'INVALID_PRODUCER_EPOCH',
  'INVALID_PRODUCER_ID_MAPPING',
  'INVALID_TXN_STATE',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'PRODUCER_FENCED',
  'TRANSACTION_COORDINATOR_FENCED',
  'UNKNOWN_PRODUCER_ID',
]);

const TOO_LARGE: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE']);

const systemRandom: Random = () => randomInt(2 ** 30) / 2 ** 30;

export interface PersistOptions {
  /** What is done, for messages, as in `opening writer publisher-3`. */
  readonly what: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends the waiting at once: `persist` rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Monotonic time of `clock` at which to give up; without it, never. */
  readonly untilMs?: number | undefined;
  /** For the message of giving up. */
  readonly brokers?: readonly string[];
  /** Called before each further try, as `connections.refresh()`; that it fails does not matter. */
  readonly onTrouble?: (error: unknown) => Promise<void>;
  readonly random?: Random;
}

/** Whether the broker answered that the same request may succeed later, or elsewhere. */
export function isNotNow(error: unknown): boolean {
  return NOT_NOW.has(errorType(error) ?? '');
}

/**
 * Runs `work` until it succeeds, while what fails is that nobody answers or that the broker asks to try
 * later. Whatever else fails is thrown as one of our errors.
 * @throws BrokerUnavailableError at `untilMs`
 * @throws TopicLostError a topic has been unknown for too long
 */
export async function persist<T>(work: () => Promise<T>, options: PersistOptions): Promise<T> {
  const { clock, log, onTrouble, random = systemRandom, signal, untilMs, what } = options;
  const began = clock.monotonic();
  let told: { readonly type: string; readonly since: number } | undefined;
  let warned = false;
  for (let tries = 0; ; tries++) {
    signal?.throwIfAborted();
    try {
      const result = await orAborted(work(), signal);
      if (warned) {
        log.info({ what, outageMs: Math.round(clock.monotonic() - began) }, 'Kafka is back');
      }
      return result;
    } catch (error) {
      signal?.throwIfAborted();
      // What was judged already stays so, whatever its cause.
      if (error instanceof BrokerError) {
        throw error;
      }
      const now = clock.monotonic();
      const type = errorType(error) ?? '';
      if (!SOON_OTHERWISE.has(type)) {
        told = undefined;
      } else if (told?.type !== type) {
        told = { type, since: now };
      }
      const believed = told !== undefined && now - told.since >= BELIEVED_AFTER_MS;
      if (believed || (told === undefined && !isNoAnswer(error) && !isNotNow(error))) {
        throw translate(error, what);
      }
      if (untilMs !== undefined && now >= untilMs) {
        throw unavailable(error, now - began, options);
      }
      if (!warned && (isNoAnswer(error) || now - began >= WORTH_A_WARNING_MS)) {
        warned = true;
        log.warn({ what, reason: reasonOf(error) }, 'Kafka does not answer or asks to wait: trying again');
      }
      const first = errorType(error) === 'CONCURRENT_TRANSACTIONS' ? CONCURRENT_BACKOFF_MS : FIRST_BACKOFF_MS;
      const most = Math.min(MAX_BACKOFF_MS, first * 2 ** Math.min(tries, 20));
      const backoff = most * (0.5 + random() / 2);
      await pause(Math.min(backoff, untilMs === undefined ? backoff : untilMs - now), clock, signal);
      await orAborted(onTrouble?.(error).catch(() => undefined) ?? Promise.resolve(), signal);
    }
  }
}

/** What another program says in its words, said in ours; what is ours already stays as it is. */
export function translate(error: unknown, what: string): Error {
  if (error instanceof BrokerError) {
    return error;
  }
  const type = errorType(error) ?? '';
  const cause = { cause: error };
  if (FENCED.has(type)) {
    return new FencedError(
      `${what}: Kafka answers ${type}: another writer of this name was opened since, or its transaction took ` +
        'longer than its timeout; reopen it and restore',
      cause,
    );
  }
  const certificate = certificateProblem(error);
  if (certificate !== undefined) {
    return new AccessDeniedError(
      `${what}: the certificate of Kafka at ${silentBroker(error) ?? 'this address'}, or ours, is refused: ${certificate}; ` +
        'check broker.kafka.tls.ca, cert and key, and the names in the certificate',
      cause,
    );
  }
  if (isAuthenticationFailure(error)) {
    return new AccessDeniedError(
      `${what}: Kafka refuses the credentials (${reasonOf(error)}): check user name, password and mechanism`,
      cause,
    );
  }
  if (type.endsWith('AUTHORIZATION_FAILED')) {
    return new AccessDeniedError(
      `${what}: Kafka answers ${type}: give the user the right with kafka-acls, or use another user`,
      cause,
    );
  }
  if (TOO_LARGE.has(type)) {
    return new RecordTooLargeError(
      `${what}: Kafka answers ${type}: raise max.message.bytes of the topic`,
      cause,
    );
  }
  if (type === 'UNKNOWN_TOPIC_OR_PARTITION') {
    return new TopicLostError(
      `${what}: Kafka does not know the topic or partition: it was deleted, or the user may not see it; ` +
        'restart to have it made anew',
      cause,
    );
  }
  if (isNoAnswer(error)) {
    return new BrokerUnavailableError(`${what}: Kafka does not answer (${reasonOf(error)})`, cause);
  }
  return new BrokerError(`${what}: ${reasonOf(error)}`, cause);
}

function unavailable(error: unknown, waitedMs: number, { brokers, what }: PersistOptions): Error {
  const where = brokers === undefined ? '' : ` at ${brokers.join(', ')}`;
  return new BrokerUnavailableError(
    `${what}: Kafka${where} cannot be reached or does not serve, tried for ${String(Math.round(waitedMs / 1000))} s ` +
      `(last: ${reasonOf(error)}): check the addresses and that the brokers run`,
    { cause: error },
  );
}

/** In one line: the broker's answer by its name, and what was said about it. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const type = errorType(error);
  return type === undefined || type === message ? message : `${type}: ${message}`;
}

/** Waits `ms`, or until `signal` aborts: then throws its reason. */
export async function pause(ms: number, clock: Clock, signal?: AbortSignal): Promise<void> {
  let cancel: (() => void) | undefined;
  const elapsed = new Promise<void>((resolve) => {
    cancel = clock.after(ms, resolve);
  });
  try {
    await orAborted(elapsed, signal);
  } finally {
    cancel?.();
  }
}

/** What `promise` gives, or the signal's reason if that comes first; what comes later is let go. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) {
    return await promise;
  }
  promise.catch(() => undefined);
  signal.throwIfAborted();
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      const reason: unknown = signal.reason;
      reject(reason instanceof Error ? reason : new BrokerError(`aborted: ${String(reason)}`));
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    if (onAbort !== undefined) {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
