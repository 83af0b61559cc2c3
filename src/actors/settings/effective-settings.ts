import type { ModelSettings } from '../../clustering/drift-at.ts';
import { modelSettingsOf } from '../../clustering-options.ts';
import { RUN_TIME_KEYS, withRunTimeValues } from '../../config/run-time.ts';
import type { Configuration } from '../../config/schema.ts';
import type { Logger } from '../../system/logger.ts';
import type { RunTimeSettings } from './run-time-settings.ts';

/** What the stages go by: the configuration, and what was set on top of it while it runs. */
export class EffectiveSettings {
  readonly #given: Configuration;
  readonly #startedAt: number;
  readonly #log: Logger;
  readonly #listeners = new Set<(now: Configuration) => void>();
  #configuration: Configuration;
  #set: RunTimeSettings = { values: new Map(), retries: new Map() };
  #model: ModelSettings;
  #refused: string | undefined;

  /** @param startedAt wall-clock ms: files that failed before are tried again once. */
  constructor(given: Configuration, startedAt: number, log: Logger) {
    this.#given = given;
    this.#startedAt = startedAt;
    this.#log = log;
    this.#configuration = given;
    this.#model = modelSettingsOf(given);
  }

  get configuration(): Configuration {
    return this.#configuration;
  }

  get set(): RunTimeSettings {
    return this.#set;
  }

  /** The same object until something of it changes. */
  get model(): ModelSettings {
    return this.#model;
  }

  /** ms; Infinity: no row is late. */
  get latenessMs(): number {
    return this.#configuration.regions.lateness ?? Infinity;
  }

  /** A file at `path` that failed before this wall-clock time is tried again. */
  retryFailedBefore(path: string): number {
    return Math.max(this.#startedAt, this.#set.retries.get(path) ?? 0);
  }

  /** Told of the configuration each time it has become another. */
  onChange(listener: (now: Configuration) => void): void {
    this.#listeners.add(listener);
  }

  /** The configuration with `values` in the place of what is set. @throws ConfigurationError */
  judge(values: ReadonlyMap<string, unknown>): Configuration {
    return withRunTimeValues(this.#given, values);
  }

  /**
   * Goes by what is committed from now on. What does not fit this replica's configuration, which may differ
   * from that of whoever set it, is let be and told of.
   */
  adopt(set: RunTimeSettings): void {
    this.#set = set;
    let now = this.#given;
    try {
      // One that a later version could set is unknown here.
      const known = [...set.values].filter(([key]) => Object.hasOwn(RUN_TIME_KEYS, key));
      now = withRunTimeValues(this.#given, new Map(known.map(([key, { value }]) => [key, value])));
      this.#refused = undefined;
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      if (this.#refused !== problem) {
        this.#refused = problem;
        this.#log.error(
          { problem },
          'what was set while it runs does not fit the configuration: not used here',
        );
      }
    }
    const before = this.#configuration;
    if (JSON.stringify(before) === JSON.stringify(now)) {
      return;
    }
    this.#configuration = now;
    if (JSON.stringify(before.clustering) !== JSON.stringify(now.clustering)) {
      // The panes that drift is judged by are those that the regions keep.
      this.#model = { ...modelSettingsOf(now), drift: modelSettingsOf(this.#given).drift };
    }
    for (const listener of this.#listeners) {
      listener(now);
    }
  }
}
