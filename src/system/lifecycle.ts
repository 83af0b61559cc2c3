/**
 * The life of an actor's place in the tree, over all its incarnations.
 *
 * ```
 *                 setup done
 *   ┌─► starting ───────────► running
 *   │      │  │ throws  fails │  │
 *   │      │  └───► failed ◄──┘  │     failed: the supervisor decides, or an ancestor will
 *   │      │          │          │
 *   │      └──────────┼──────────┘ own restart, or a sibling's that takes it along
 *   │                 ▼
 *   │            restarting            the old incarnation is being torn down
 *   │                 │ torn down
 *   │  backoff over   ▼
 *   └───────────── waiting
 *
 *   from each of these: ───► stopping ───► stopped
 * ```
 *
 * An incarnation exists from `starting` until it is torn down in `restarting` or `stopping`; so a
 * new one, made on the way from `waiting` to `starting`, never overlaps the old.
 */
export type LifecycleState =
  | 'starting'
  | 'running'
  | 'failed'
  | 'restarting'
  | 'waiting'
  | 'stopping'
  | 'stopped';

const TRANSITIONS: Readonly<Record<LifecycleState, readonly LifecycleState[]>> = {
  starting: ['running', 'failed', 'restarting', 'stopping'],
  running: ['failed', 'restarting', 'stopping'],
  failed: ['restarting', 'stopping'],
  restarting: ['waiting', 'stopping'],
  waiting: ['starting', 'stopping'],
  stopping: ['stopped'],
  stopped: [],
};

/** Where a message goes that arrives in a state. */
export type Admission = 'mailbox' | 'stash' | 'dead-letter';

const ADMISSIONS: Readonly<Record<LifecycleState, Admission>> = {
  starting: 'stash',
  running: 'mailbox',
  failed: 'stash',
  restarting: 'stash',
  waiting: 'stash',
  stopping: 'dead-letter',
  stopped: 'dead-letter',
};

export class IllegalTransitionError extends Error {
  override readonly name = 'IllegalTransitionError';
}

/** @throws IllegalTransitionError unless the table above has the move. */
export function transition(path: string, from: LifecycleState, to: LifecycleState): LifecycleState {
  if (!TRANSITIONS[from].includes(to)) {
    throw new IllegalTransitionError(`actor ${path} cannot go from ${from} to ${to}`);
  }
  return to;
}

export function admissionIn(state: LifecycleState): Admission {
  return ADMISSIONS[state];
}

/** Whether the incarnation may fail, and may judge the failures of its children. */
export function isAlive(state: LifecycleState): boolean {
  return state === 'starting' || state === 'running';
}
