import type { ServerResponse } from 'node:http';
import type { Outcome } from '../../admin/outcome.ts';
import type { Clock } from '../../system/clock.ts';
import type { Limits } from './limits.ts';
import { Slots } from './limits.ts';

/** Sent in the place of an event while none is there. */
const HEARTBEAT = ': nothing new yet\n\n';

type Stream = Pick<ServerResponse, 'destroy' | 'end' | 'on' | 'write' | 'writableLength'>;

export interface EventsOptions {
  readonly clock: Clock;
  readonly limits: Pick<Limits, 'eventsEveryMs' | 'readers' | 'waitingBytes'>;
  /** Asks for the status, once for all readers. Never rejects. */
  sample(): Promise<Outcome>;
  /** A reader was dropped because it does not take what is sent. */
  dropped(): void;
}

/**
 * Server-sent events (WHATWG HTML, section 9.2): `status` with the status as JSON, `problem` with an error.
 * While nobody reads nothing is asked for. A reader that lets too much wait is dropped.
 */
export class StatusEvents {
  readonly #options: EventsOptions;
  readonly #readers = new Set<Stream>();
  readonly #slots: Slots;
  #cancel: (() => void) | undefined;
  #sampling = false;

  constructor(options: EventsOptions) {
    this.#options = options;
    this.#slots = new Slots(options.limits.readers, 'readers of events');
  }

  get readers(): number {
    return this.#readers.size;
  }

  /**
   * A place for a reader.
   * @returns takes the reader, whose head is written
   * @throws Refusal when there are too many
   */
  admit(): (reader: Stream) => void {
    const release = this.#slots.take();
    return (reader) => {
      this.#readers.add(reader);
      reader.on('close', () => {
        release();
        this.#readers.delete(reader);
        if (this.#readers.size === 0) {
          this.#stop();
        }
      });
      reader.write('retry: 3000\n\n');
      if (this.#cancel === undefined) {
        this.#turn();
      }
    };
  }

  /** Ends all streams. */
  close(): void {
    this.#stop();
    for (const reader of this.#readers) {
      reader.end();
    }
  }

  #stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #turn(): void {
    const { clock, limits } = this.#options;
    this.#cancel = clock.after(limits.eventsEveryMs, () => {
      this.#turn();
    });
    if (this.#sampling) {
      this.#send(HEARTBEAT);
    } else {
      void this.#sample();
    }
  }

  async #sample(): Promise<void> {
    this.#sampling = true;
    const outcome = await this.#options.sample();
    this.#sampling = false;
    const [event, data] =
      outcome.status === 'done' ? ['status', outcome.result] : ['problem', { error: outcome.error }];
    this.#send(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  #send(text: string): void {
    for (const reader of this.#readers) {
      if (reader.writableLength > this.#options.limits.waitingBytes) {
        this.#options.dropped();
        reader.destroy();
      } else {
        reader.write(text);
      }
    }
  }
}
