import { type CommandName, parseCommand, type ResultOf } from '../../admin/commands.ts';
import { CommandError } from '../../admin/outcome.ts';
import type { Configuration } from '../../config/schema.ts';
import { untilStopped } from '../signals.ts';
import { EXIT_FAILURE, EXIT_OK, type Output, UsageError } from '../usage.ts';
import { clientOf, type DoorFlags, tellingRefusals } from './door.ts';
import * as render from './render.ts';

/** A drain takes as long as what is there; fetch waits no longer than this for an answer. */
const DRAIN_TIMEOUT_MS = 300_000;

/** How the result of each command is told to people. */
const TEXTS = {
  status: render.statusText,
  topology: render.topologyText,
  pause: render.stageText,
  resume: render.stageText,
  'run-once': render.ranOnceText,
  restart: render.restartedText,
  'connections.list': render.connectionsText,
  'connections.peek': render.queueText,
  'connections.empty': render.emptiedText,
  drain: render.drainedText,
  checkpoint: render.checkpointedText,
  'settings.list': render.settingsText,
  set: render.settingText,
  unset: render.settingText,
  shutdown: render.endingText,
} as const satisfies { readonly [N in CommandName]?: (result: ResultOf<N>) => readonly string[] };

/** The commands that the command line only carries to a running Geoflock. */
export type CarriedName = keyof typeof TEXTS;

export interface CarriedOptions {
  readonly json: boolean;
  readonly door: DoorFlags;
}

/** Carries a command to a running Geoflock and prints what it answers. @returns exit code */
export async function carryCommand(
  configuration: Configuration,
  name: CarriedName,
  parameters: Readonly<Record<string, unknown>>,
  { door, json }: CarriedOptions,
  output: Output,
): Promise<number> {
  checkParameters(name, parameters);
  const client = await clientOf(configuration, door, name === 'drain' ? DRAIN_TIMEOUT_MS : undefined);
  return await tellingRefusals(output, async () => {
    const result = await client.ask(name, parameters);
    const text = TEXTS[name] as (result: unknown) => readonly string[];
    output.out(json ? `${JSON.stringify(result)}\n` : `${text(result).join('\n')}\n`);
    return EXIT_OK;
  });
}

/**
 * `geoflock status --watch`: the status once a second, drawn over itself on a terminal, until a signal comes or the
 * process ends.
 */
export async function watchStatus(
  configuration: Configuration,
  { door, json }: CarriedOptions,
  output: Output,
  terminal: boolean,
): Promise<number> {
  const client = await clientOf(configuration, door);
  return await untilStopped(
    async (signal) =>
      await tellingRefusals(output, async () => {
        let drawn = 0;
        for await (const { data, event } of client.events(signal)) {
          if (event !== 'status') {
            const { error } = JSON.parse(data) as { readonly error: { readonly message: string } };
            output.err(`geoflock: ${error.message}\n`);
            drawn = 0;
            continue;
          }
          if (json) {
            output.out(`${data}\n`);
            continue;
          }
          const lines = render.statusText(JSON.parse(data) as ResultOf<'status'>);
          const up = !terminal || drawn === 0 ? '' : `\u001b[${String(drawn)}A`;
          const end = terminal ? '\u001b[0J' : '\n';
          output.out(`${up}${lines.map((line) => `${terminal ? '\u001b[2K' : ''}${line}\n`).join('')}${end}`);
          drawn = lines.length;
        }
        if (signal.aborted) {
          return EXIT_OK;
        }
        output.err(`geoflock: ${client.url} has ended the stream: its process is ending\n`);
        return EXIT_FAILURE;
      }),
  );
}

/** What is wrong already here is a wrong use of the command line. */
function checkParameters(name: CarriedName, parameters: Readonly<Record<string, unknown>>): void {
  try {
    parseCommand({ ...parameters, name });
  } catch (error) {
    throw error instanceof CommandError ? new UsageError(error.message) : error;
  }
}
