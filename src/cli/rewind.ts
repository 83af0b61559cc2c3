import {
  type RequestedRewind,
  requestRewind,
  RewindRefusedError,
  type RewindTo,
} from '../actors/rewind/request-rewind.ts';
import type { Configuration } from '../config/schema.ts';
import type { DoorFlags } from './admin/door.ts';
import { eitherWay } from './either-way.ts';
import { EXIT_FAILURE, EXIT_OK, type Output } from './usage.ts';

/** `geoflock rewind`: asks for it; who owns a partition applies it. */
export async function rewindCommand(
  configuration: Configuration,
  { door, json, to }: { readonly to: RewindTo; readonly json: boolean; readonly door: DoorFlags },
  output: Output,
): Promise<number> {
  const print = (requested: RequestedRewind, isRunning: boolean): number => {
    output.out(json ? `${JSON.stringify(requested)}\n` : inWords(requested, isRunning));
    return EXIT_OK;
  };
  return await eitherWay(configuration, door, output, {
    state: async (state) => {
      try {
        return print(await requestRewind(state, to), state.broker.kind === 'kafka');
      } catch (error) {
        if (!(error instanceof RewindRefusedError)) {
          throw error;
        }
        output.err(`geoflock: ${error.message}\n`);
        return EXIT_FAILURE;
      }
    },
    door: async (client) =>
      print(
        await client.ask(
          'rewind',
          to.kind === 'time' ? { toTime: new Date(to.time).toISOString() } : { toOffset: to.offset },
        ),
        true,
      ),
  });
}

/** @param isRunning whether there may be a process that applies it */
function inWords({ epoch, partitions }: RequestedRewind, isRunning: boolean): string {
  const who = isRunning
    ? 'the running replicas apply it now, or the next to start'
    : 'the next run applies it';
  return [
    'partition   counted up to     again from',
    ...partitions.map(({ from, partition, to }) =>
      [
        String(partition).padStart(9),
        from.toLocaleString('en-US').padStart(16),
        to.toLocaleString('en-US').padStart(15),
      ].join(''),
    ),
    `rewind ${String(epoch)}: all summaries are dropped and made anew; ${who}`,
    '',
  ].join('\n');
}
