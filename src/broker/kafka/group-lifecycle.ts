/**
 * The life of a membership.
 *
 * - joining: a round is under way; what is owned is worked on meanwhile
 * - stable: heartbeats only
 * - revoking: the last round took partitions away; the listener lets go of them, then we join again
 * - lost: the group went on without us; the listener lets go of everything, then we join as new
 * - failed: what cannot heal; told to the listener
 * - leaving, left: the listener lets go of everything, then the group is told
 */
export type Lifecycle = 'joining' | 'stable' | 'revoking' | 'lost' | 'failed' | 'leaving' | 'left';

const FOLLOWING: Readonly<Record<Lifecycle, readonly Lifecycle[]>> = {
  joining: ['stable', 'revoking', 'lost', 'failed', 'leaving'],
  stable: ['joining', 'lost', 'failed', 'leaving'],
  revoking: ['joining', 'lost', 'failed', 'leaving'],
  lost: ['joining', 'failed', 'leaving'],
  failed: ['leaving'],
  leaving: ['left'],
  left: [],
};

export function canFollow(from: Lifecycle, to: Lifecycle): boolean {
  return FOLLOWING[from].includes(to);
}
