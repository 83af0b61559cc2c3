import { realpathSync } from 'node:fs';
import type { Configuration } from '../config/schema.ts';
import type { AdminClient } from './admin/client.ts';
import { clientOf, type DoorFlags, namedUrl, tellingRefusals } from './admin/door.ts';
import type { Output } from './usage.ts';
import { type OpenedState, withState } from './with-state.ts';

/** The two ways to what a Geoflock keeps. Each resolves to the exit code. */
export interface Ways {
  /** From the state itself: nobody else has it open, or it is on a Kafka. */
  readonly state: (state: OpenedState) => Promise<number>;
  /** From the process that runs. */
  readonly door: (client: AdminClient) => Promise<number>;
}

/**
 * Asks the process whose address was named; else opens the state; else, where a process has the state for
 * itself, asks that one, when it is the one at the configured address.
 */
export async function eitherWay(
  configuration: Configuration,
  flags: DoorFlags,
  output: Output,
  ways: Ways,
): Promise<number> {
  const throughDoor = async (client: AdminClient): Promise<number> =>
    await tellingRefusals(output, () => ways.door(client));
  if (namedUrl(flags) !== undefined) {
    return await throughDoor(await clientOf(configuration, flags));
  }
  return await withState(configuration, output, ways.state, async () => {
    const client = await clientOf(configuration, flags);
    if (!configuration.admin.enabled || !(await client.isThere())) {
      return undefined;
    }
    return await tellingRefusals(output, async () => {
      const { stateFolder } = await client.ask('status');
      return isHolder(configuration, stateFolder) ? await ways.door(client) : undefined;
    });
  });
}

/** Whether a process with this state is meant: another Geoflock may be at the configured address. */
export function isHolder({ broker, state }: Configuration, stateFolder: string | null): boolean {
  return broker.kind === 'embedded'
    ? stateFolder !== null && isSame(stateFolder, state.directory)
    : stateFolder === null;
}

function isSame(one: string, other: string): boolean {
  try {
    return realpathSync(one) === realpathSync(other);
  } catch {
    return false;
  }
}
