import nact from 'nact';

/**
 * The only file that knows nact. It schedules: one message at a time per actor, each in its own
 * turn of the event loop.
 *
 * All actors are spawned flat under nact's root, with the tree kept by us: nact copies an actor's
 * map of children for each message it handles, which at 384 children costs nine tenths of the throughput.
 * nact's supervision never runs, because no handler throws or rejects; its resets are never used,
 * because after one two handlers may run at once in one actor.
 */

export interface ScheduledActor {
  /** Queues a message. After `stop` it does nothing. */
  dispatch(message: unknown): void;
  /** Drops the messages not yet handled. A handler in flight runs on: await it elsewhere. */
  stop(): void;
}

export interface MessageScheduler {
  /**
   * @param name unique among the living actors; any string.
   * @param handle must neither throw nor reject. The next message waits for its promise.
   */
  spawn(name: string, handle: (message: unknown) => void | Promise<void>): ScheduledActor;
  stop(): void;
}

/** nact allows few characters in names. Ours allow `/`, which nact does not, and no comma. */
function nactName(path: string): string {
  return path.replaceAll('/', ',').replaceAll('~', '!');
}

export function createNactScheduler(): MessageScheduler {
  const system = nact.start();
  return {
    spawn: (name, handle) => {
      const actor = nact.spawn(
        system,
        (_state: undefined, message: unknown) => handle(message) as undefined,
        nactName(name),
      );
      return {
        dispatch: (message) => {
          nact.dispatch(actor, message);
        },
        stop: () => {
          nact.stop(actor);
        },
      };
    },
    stop: () => {
      nact.stop(system);
    },
  };
}
