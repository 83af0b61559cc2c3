import type { Logger } from './logger.ts';

/** A warning or an error, and how often it was told in a row. */
export interface Bulletin {
  /** Wall-clock ms of the last time. */
  readonly at: number;
  readonly level: 'warn' | 'error';
  readonly message: string;
  readonly count: number;
}

/** Kept of each source. */
const KEPT = 10;
/** Sources come and go with their partitions: of those that told nothing for longest the last are dropped. */
const MOST_SOURCES = 1_000;

/** The last warnings and errors by the actor (or other part) that told them, for whoever looks at the status. */
export class BulletinBoard {
  readonly #now: () => number;
  readonly #bySource = new Map<string, Bulletin[]>();

  /** @param now wall-clock ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  record(source: string, level: Bulletin['level'], message: string): void {
    const told = this.#bySource.get(source) ?? [];
    const [last] = told;
    const again = last?.message === message && last.level === level;
    const count = again ? last.count + 1 : 1;
    const bulletin = { at: this.#now(), level, message, count };
    this.#bySource.delete(source);
    this.#bySource.set(source, [bulletin, ...(again ? told.slice(1) : told)].slice(0, KEPT));
    if (this.#bySource.size > MOST_SOURCES) {
      const [oldest] = this.#bySource.keys();
      this.#bySource.delete(oldest ?? '');
    }
  }

  /** The newest first. */
  bySource(): ReadonlyMap<string, readonly Bulletin[]> {
    return this.#bySource;
  }

  /** A logger that tells `log` everything, and the board what is a warning or an error. */
  watch(log: Logger, source = 'geoflock'): Logger {
    return {
      debug: (fields, message) => {
        log.debug(fields, message);
      },
      info: (fields, message) => {
        log.info(fields, message);
      },
      warn: (fields, message) => {
        this.record(sourceIn(fields) ?? source, 'warn', inWords(fields, message));
        log.warn(fields, message);
      },
      error: (fields, message) => {
        this.record(sourceIn(fields) ?? source, 'error', inWords(fields, message));
        log.error(fields, message);
      },
      child: (fields) => this.watch(log.child(fields), sourceIn(fields) ?? source),
    };
  }
}

/** An actor by its path, whether it tells something or is told of. */
function sourceIn(fields: object): string | undefined {
  const { actor, part, path } = fields as Readonly<Record<string, unknown>>;
  return [actor, path, part].find((name) => typeof name === 'string');
}

function inWords(fields: object, message: string): string {
  const { err, problem } = fields as { readonly err?: unknown; readonly problem?: unknown };
  const why = typeof problem === 'string' ? problem : err instanceof Error ? err.message : undefined;
  return why === undefined ? message : `${message}: ${why}`;
}
