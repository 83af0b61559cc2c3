import { requestRewind, RewindRefusedError, type RewindTo } from '../actors/rewind/request-rewind.ts';
import type { Configuration } from '../config/schema.ts';
import { EXIT_FAILURE, EXIT_OK, type Output } from './usage.ts';
import { withState } from './with-state.ts';

/** `geoflock rewind`: asks for it; who owns a partition applies it. */
export async function rewindCommand(
  configuration: Configuration,
  { json, to }: { readonly to: RewindTo; readonly json: boolean },
  output: Output,
): Promise<number> {
  return await withState(configuration, output, async (state) => {
    try {
      const requested = await requestRewind(state, to);
      output.out(json ? `${JSON.stringify(requested)}\n` : inWords(requested, state.broker.kind));
      return EXIT_OK;
    } catch (error) {
      if (!(error instanceof RewindRefusedError)) {
        throw error;
      }
      output.err(`geoflock: ${error.message}\n`);
      return EXIT_FAILURE;
    }
  });
}

function inWords(
  { epoch, partitions }: Awaited<ReturnType<typeof requestRewind>>,
  kind: 'embedded' | 'kafka',
): string {
  const who =
    kind === 'kafka' ? 'the running replicas apply it now, or the next to start' : 'the next run applies it';
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
