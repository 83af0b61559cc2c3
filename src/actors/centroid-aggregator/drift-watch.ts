import type { Broker } from '../../broker/broker.ts';
import {
  type Drift,
  type DriftEvent,
  driftEvent,
  type ModelDrift,
  toldDrift,
} from '../../clustering/drift.ts';
import { driftAt, type DriftModels, judgedPane } from '../../clustering/drift-at.ts';
import type { PlacedPane } from '../../clustering/model-time.ts';
import { finishInSlices } from '../../clustering/slices.ts';
import type { ActorContext } from '../../system/actor.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { SLICE_MS } from './background-search.ts';
import type { BackgroundTurns } from './background-turns.ts';

export interface DriftWatchOptions {
  readonly context: Pick<ActorContext<never>, 'background' | 'clock' | 'log'>;
  readonly broker: Pick<Broker, 'offsets'>;
  /** Topic of the rows. */
  readonly rows: string;
  readonly models: DriftModels;
  readonly turns: BackgroundTurns;
  /** Told when a pane was judged: it is worth a model that says so. */
  readonly onJudged: () => void;
}

/** What a live model was made of. */
export interface Seen {
  readonly panes: readonly PlacedPane[];
  /** Next offset of each input partition that they reflect. */
  readonly nextOffsets: readonly number[];
  /** Number of clusters of the model. */
  readonly k: number;
}

/** What a live model says of drift. */
export interface DriftNews {
  /** What is to be known of it with the next one. */
  readonly drift: Drift | undefined;
  readonly told: { readonly drift: ModelDrift };
  readonly events: readonly DriftEvent[];
}

interface Awaited {
  readonly start: number;
  /** Where the log of each partition ended when the pane was first seen to be complete. */
  readonly ends: readonly number[];
}

/**
 * Judges each pane of event time once, when it is complete, beside the live models. By then all partitions have
 * counted its rows: each has come to a later time, or to where the log ended when the pane was first seen to be
 * complete. Otherwise a pane of which only some partitions' rows are counted, which happens whenever
 * much is read at once, would look like a stream that has left all other places.
 */
export class DriftWatch {
  readonly #own: DriftWatchOptions;
  #running: AbortController | undefined;
  #awaited: Awaited | undefined;
  #found: Drift | undefined;

  constructor(own: DriftWatchOptions) {
    this.#own = own;
  }

  /** What the live model that follows one with `before` says: the verdict that was found since, if there is one. */
  newsAfter(before: Drift | undefined): DriftNews {
    const drift = this.#found ?? before;
    const event = driftEvent(before, drift);
    return { drift, told: { drift: toldDrift(drift) }, events: event === undefined ? [] : [event] };
  }

  /** It is published: the next pane may be judged. */
  published({ drift, events }: DriftNews): void {
    if (drift === this.#found) {
      this.#found = undefined;
    }
    const { log } = this.#own.context;
    for (const { type, ...told } of events) {
      if (type === 'drift-raised') {
        log.warn(told, 'the newest rows have left the model: they are gathered elsewhere than before');
      } else {
        log.info(told, 'the model fits the newest rows again');
      }
    }
  }

  /** Begins to judge the pane that is complete now, unless that was done `before`, or another one is under way. */
  look(seen: Seen, before: Drift | undefined): void {
    if (this.#running !== undefined || this.#found !== undefined) {
      return;
    }
    const start = this.#awaited?.start ?? judgedPane(seen.panes, this.#own.models);
    if (start === undefined || start === before?.pane) {
      return;
    }
    const running = new AbortController();
    this.#running = running;
    this.#own.context.background((stop) => this.#judge(start, seen, before, running, stop));
  }

  /** Ends what is under way and forgets what was found: the models are another's. */
  cancel(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.#awaited = undefined;
    this.#found = undefined;
  }

  async #judge(
    start: number,
    seen: Seen,
    before: Drift | undefined,
    running: AbortController,
    stop: AbortSignal,
  ): Promise<void> {
    const { context, models, onJudged, turns } = this.#own;
    const signal = AbortSignal.any([running.signal, stop]);
    try {
      const end = start + models.drift.paneMs;
      const ends = this.#awaited?.ends ?? (await this.#ends(seen.nextOffsets.length, signal));
      signal.throwIfAborted();
      this.#awaited = { start, ends };
      if (!isCounted(seen, end, ends)) {
        return;
      }
      await turns.next();
      const time = { ...models.time, asOf: end };
      const model = { ...models.model, k: seen.k };
      const drift = await finishInSlices(driftAt(seen.panes, { ...models, model, time }, before), {
        now: () => context.clock.monotonic(),
        pause: () => turns.next(),
        sliceMs: SLICE_MS,
        signal,
      });
      signal.throwIfAborted();
      this.#awaited = undefined;
      if (drift !== undefined) {
        this.#found = drift;
        onJudged();
      }
    } catch (error) {
      if (!signal.aborted) {
        throw error;
      }
    } finally {
      if (this.#running === running) {
        this.#running = undefined;
      }
    }
  }

  async #ends(partitions: number, signal: AbortSignal): Promise<readonly number[]> {
    const { broker, rows } = this.#own;
    const asked = Array.from({ length: partitions }, (_, partition) => broker.offsets(rows, partition));
    return (await unlessAborted(Promise.all(asked), signal)).map(({ end }) => end);
  }
}

function isCounted({ nextOffsets, panes }: Seen, time: number, ends: readonly number[]): boolean {
  const later = new Set(panes.filter(({ pane }) => pane.latest >= time).map(({ partition }) => partition));
  return nextOffsets.every(
    (offset, partition) => later.has(partition) || offset >= (ends[partition] as number),
  );
}
