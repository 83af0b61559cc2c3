import type { LookupAddress } from 'node:dns';
import { isIP } from 'node:net';
import type { Clock } from '../system/clock.ts';

/** `dns.lookup`, as far as it is needed. */
export type Resolve = (
  host: string,
  family: number,
  done: (error: Error | null, address: string, family: number) => void,
) => void;

/** What a socket asks: the address of a host. */
type Answer = (error: Error | null, address: string, family: number) => void;

/** An address is asked for again when it is so old. */
const KEEP_MS = 60_000;
/** A datagram waits for an address no longer. */
const PATIENCE_MS = 5_000;
/** Datagrams that wait for it at most. */
const MOST_WAITING = 64;

/**
 * One look-up of a host at a time, however many datagrams there are to send. `dns.lookup` works on the few
 * threads that also read files: a resolver that does not answer must not take them all.
 */
export class OneLookup {
  readonly #resolve: Resolve;
  readonly #clock: Clock;
  #known: (LookupAddress & { readonly until: number }) | undefined;
  #asking = false;
  #waiting: Answer[] = [];
  #cancel = (): void => undefined;

  constructor(resolve: Resolve, clock: Clock) {
    this.#resolve = resolve;
    this.#clock = clock;
  }

  /** Answers later, or at once where the address is known. */
  ask(host: string, family: number, answer: Answer): void {
    const version = isIP(host);
    if (version !== 0) {
      answer(null, host, version);
      return;
    }
    const known = this.#known;
    if (known !== undefined && this.#clock.monotonic() < known.until) {
      answer(null, known.address, known.family);
      return;
    }
    if (this.#waiting.length >= MOST_WAITING) {
      answer(new Error(`${host} has no address yet`), '', family);
      return;
    }
    this.#waiting.push(answer);
    if (this.#waiting.length === 1) {
      this.#cancel = this.#clock.after(PATIENCE_MS, () => {
        this.#tell(new Error(`no address of ${host} within ${String(PATIENCE_MS / 1000)} s`), '', family);
      });
    }
    if (!this.#asking) {
      this.#asking = true;
      this.#resolve(host, family, (error, address, found) => {
        this.#asking = false;
        if (error === null) {
          this.#known = { address, family: found, until: this.#clock.monotonic() + KEEP_MS };
        }
        this.#tell(error, address, found);
      });
    }
  }

  /** Nobody waits any longer. */
  abandon(): void {
    this.#tell(new Error('closed before there was an address'), '', 0);
  }

  #tell(error: Error | null, address: string, family: number): void {
    this.#cancel();
    this.#cancel = () => undefined;
    for (const answer of this.#waiting.splice(0)) {
      answer(error, address, family);
    }
  }
}
