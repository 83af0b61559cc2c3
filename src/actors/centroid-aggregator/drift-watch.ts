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
import type { ActorContext } from '../../system/actor.ts';
import { inSlices } from '../in-slices.ts';
import { unlessAborted } from '../unless-aborted.ts';
import { BackgroundJob } from './background-job.ts';
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
  readonly #job: BackgroundJob;
  #awaited: Awaited | undefined;
  #found: Drift | undefined;
  #epoch: number | undefined;

  constructor(own: DriftWatchOptions) {
    this.#own = own;
    this.#job = new BackgroundJob(own.context);
  }

  /**
   * What the live model that follows one with `before` says: the verdict that was found since, if there is one.
   * In another epoch, after a rewind, rows are counted anew: what was found of those of before is forgotten.
   */
  newsAfter(before: Drift | undefined, epoch: number): DriftNews {
    if (this.#epoch !== undefined && epoch !== this.#epoch) {
      this.cancel();
    }
    this.#epoch = epoch;
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

  /**
   * Begins to judge the pane that is complete now, unless that was done `before`, or another one is under way; tells
   * whether it does, and so goes on to use the panes.
   */
  look(seen: Seen, before: Drift | undefined): boolean {
    if (this.#job.running || this.#found !== undefined) {
      return false;
    }
    const start = this.#awaited?.start ?? judgedPane(seen.panes, this.#own.models);
    if (start === undefined || start === before?.pane) {
      return false;
    }
    this.#job.begin((signal) => this.#judge(start, seen, before, signal));
    return true;
  }

  /** Ends what is under way and forgets what was found: the models are another's. */
  cancel(): void {
    this.#job.cancel();
    this.#awaited = undefined;
    this.#found = undefined;
  }

  async #judge(start: number, seen: Seen, before: Drift | undefined, signal: AbortSignal): Promise<void> {
    const { context, models, onJudged, turns } = this.#own;
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
    const drift = await inSlices(driftAt(seen.panes, { ...models, model, time }, before), {
      clock: context.clock,
      signal,
      turn: () => turns.next(),
    });
    signal.throwIfAborted();
    this.#awaited = undefined;
    if (drift !== undefined) {
      this.#found = drift;
      onJudged();
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
