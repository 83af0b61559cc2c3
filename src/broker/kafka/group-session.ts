import type { Clock } from '../../system/clock.ts';
import { AccessDeniedError, BrokerError, BrokerUnavailableError } from '../errors.ts';
import type { GroupRequests, Identity } from './group-requests.ts';
import { errorType } from './kafkajs.ts';
import { orAborted, pause, translate } from './retry.ts';

const HEARTBEATS_PER_SESSION = 5;
/** A heartbeat is also how we hear of a rebalance: a long session must not make a hand-over slow. */
const LONGEST_INTERVAL_MS = 2_000;

export interface SessionEvents {
  /** A member came or went: join again. */
  rebalance(): void;
  /** The partitions are somebody else's, or may be by now. Expelled: the group does not know us any more. */
  lost(reason: string, expelled: boolean): void;
  /** The coordinator refuses in a way that does not heal. */
  refused(error: Error): void;
}

/** What is asked of the coordinator here. */
export type Coordinator = Pick<GroupRequests, 'heartbeat' | 'restartJoin'>;

/** What a heartbeat says. `unclear`: nobody answered, or a newer generation that we are about to learn of. */
type Verdict = 'alive' | 'lost' | 'unclear' | 'refused';

/**
 * One membership without interruption: heartbeats, and a clock of our own. The coordinator gives our
 * partitions away when it has not heard of us for a session; counted from when the last heartbeat that was
 * answered was *sent*, we know that moment, or an earlier one, without having to ask.
 */
export class GroupSession {
  readonly #requests: Coordinator;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #events: SessionEvents;
  readonly #ended = new AbortController();
  #identity: Identity;
  #heardAt: number;
  #joining = false;
  #newerSince: number | undefined;
  #cancelWatch: (() => void) | undefined;

  constructor(
    requests: Coordinator,
    identity: Identity,
    { clock, sessionTimeoutMs }: { readonly clock: Clock; readonly sessionTimeoutMs: number },
    events: SessionEvents,
  ) {
    this.#requests = requests;
    this.#identity = identity;
    this.#timeoutMs = sessionTimeoutMs;
    this.#clock = clock;
    this.#events = events;
    this.#heardAt = clock.monotonic();
    this.#watch();
    void this.#beatOnAndOn();
  }

  get identity(): Identity {
    return this.#identity;
  }

  /** True after the session ran out, also before its timer had a chance to fire. */
  get over(): boolean {
    return this.#ended.signal.aborted || this.#clock.monotonic() - this.#heardAt >= this.#timeoutMs;
  }

  /** A join is under way: the coordinator may be a generation ahead of us. */
  joining(): void {
    this.#joining = true;
  }

  joined(identity: Identity): void {
    this.#joining = false;
    this.#newerSince = undefined;
    this.#identity = identity;
  }

  /** Whether the coordinator says, asked now, that we are a member. Waits for it no longer than the session. */
  async confirm(): Promise<boolean> {
    while (!this.over) {
      const ended = this.#ended.signal;
      const verdict = await orAborted(this.#beat(), ended).catch((): Verdict => 'lost');
      if (verdict !== 'unclear') {
        return verdict === 'alive';
      }
      await this.#pause(RETRY_MS);
    }
    return false;
  }

  end(): void {
    this.#cancelWatch?.();
    this.#ended.abort();
  }

  async #beatOnAndOn(): Promise<void> {
    const every = Math.min(LONGEST_INTERVAL_MS, this.#timeoutMs / HEARTBEATS_PER_SESSION);
    await this.#pause(every);
    while (!this.#ended.signal.aborted) {
      const verdict = await this.#beat();
      await this.#pause(verdict === 'unclear' ? Math.min(RETRY_MS, every) : every);
    }
  }

  async #beat(): Promise<Verdict> {
    const sentAt = this.#clock.monotonic();
    const identity = this.#identity;
    let answer: string | undefined;
    try {
      await this.#requests.heartbeat(identity);
    } catch (error) {
      answer = errorType(error) ?? '';
      if (!OF_MEMBERSHIP.has(answer)) {
        return this.#otherwise(error);
      }
    }
    if (answer === 'UNKNOWN_MEMBER_ID' && identity.memberId === this.#identity.memberId) {
      return this.#end('lost', () => {
        this.#events.lost('the group went on without this member', true);
      });
    }
    // Whatever else the coordinator says, it has heard of us.
    this.#heardAt = Math.max(this.#heardAt, sentAt);
    this.#watch();
    if (identity !== this.#identity) {
      return 'unclear';
    }
    switch (answer) {
      case undefined:
        break;
      case 'REBALANCE_IN_PROGRESS':
        this.#events.rebalance();
        break;
      default:
        return this.#newerGeneration();
    }
    return this.over ? 'lost' : 'alive';
  }

  #otherwise(error: unknown): Verdict {
    const told = translate(error, 'heartbeat');
    const heals = told instanceof BrokerUnavailableError || !(error instanceof BrokerError);
    if (heals && !(told instanceof AccessDeniedError)) {
      return 'unclear';
    }
    return this.#end('refused', () => {
      this.#events.refused(told);
    });
  }

  /**
   * The coordinator is a generation ahead. While we join that is this join's own answer, on its way; if it
   * does not come it was lost.
   */
  #newerGeneration(): Verdict {
    if (!this.#joining) {
      return this.#end('lost', () => {
        this.#events.lost('the group is a generation ahead', false);
      });
    }
    const now = this.#clock.monotonic();
    this.#newerSince ??= now;
    if (now - this.#newerSince >= this.#timeoutMs / 2) {
      this.#newerSince = undefined;
      this.#requests.restartJoin();
    }
    return 'unclear';
  }

  #watch(): void {
    this.#cancelWatch?.();
    if (this.#ended.signal.aborted) {
      return;
    }
    const left = this.#heardAt + this.#timeoutMs - this.#clock.monotonic();
    this.#cancelWatch = this.#clock.after(Math.max(0, Math.ceil(left)), () => {
      this.#end('lost', () => {
        this.#events.lost(`no heartbeat was answered for ${String(this.#timeoutMs)} ms`, false);
      });
    });
  }

  /** Ends the session, and tells why unless it had ended before. */
  #end(verdict: Verdict, tell: () => void): Verdict {
    if (!this.#ended.signal.aborted) {
      this.end();
      tell();
    }
    return verdict;
  }

  async #pause(ms: number): Promise<void> {
    await pause(ms, this.#clock, this.#ended.signal).catch(() => undefined);
  }
}

const RETRY_MS = 250;

const OF_MEMBERSHIP: ReadonlySet<string> = new Set([
  'ILLEGAL_GENERATION',
  'REBALANCE_IN_PROGRESS',
  'UNKNOWN_MEMBER_ID',
]);
