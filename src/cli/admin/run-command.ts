import { type CommandName, COMMANDS, parseCommand, type ResultOf } from '../../admin/commands.ts';
import { CommandError } from '../../admin/outcome.ts';
import { ALL } from '../../admin/request.ts';
import type { Configuration } from '../../config/schema.ts';
import { untilStopped } from '../signals.ts';
import { EXIT_FAILURE, EXIT_OK, type Output, UsageError } from '../usage.ts';
import { clientOf, type DoorFlags, tellingRefusals } from './door.ts';
import * as render from './render.ts';

/** A drain takes as long as what is there. */
const DRAIN_TIMEOUT_MS = 3_600_000;

/** How many replicas there are nobody knows: so long their answers are collected. */
const ALL_TIMEOUT_MS = 5_000;

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
  const client = await clientOf(configuration, door, defaultTimeout(name, door));
  return await tellingRefusals(output, async () => {
    // What is shared is changed once for all, and so there is one answer.
    const ofEach = door.target === ALL && COMMANDS[name].scope !== 'shared';
    const replies = ofEach
      ? (await client.askAll(name, parameters)).replies
      : [{ replica: undefined, status: 'done' as const, result: await client.ask(name, parameters) }];
    for (const { replica, result, ...reply } of replies) {
      if (json) {
        output.out(`${JSON.stringify(replica === undefined ? result : { replica, ...reply, result })}\n`);
        continue;
      }
      output.out(replica === undefined ? '' : `${replica}:\n`);
      if (reply.status === 'failed') {
        output.err(`geoflock: ${replica ?? client.url}: ${reply.error?.message ?? 'it failed'}\n`);
      } else {
        output.out(`${textOf(name, result).join('\n')}\n`);
      }
    }
    return replies.every(({ status }) => status === 'done') ? EXIT_OK : EXIT_FAILURE;
  });
}

/** What of a replica came over the control topic may be a note that it is too long. */
function textOf(name: CarriedName, result: unknown): readonly string[] {
  if (!COMMANDS[name].result.safeParse(result).success) {
    return [JSON.stringify(result ?? null)];
  }
  const text = TEXTS[name] as (result: unknown) => readonly string[];
  return text(result);
}

/** Undefined: as for all commands. */
function defaultTimeout(name: CarriedName, { target }: DoorFlags): number | undefined {
  if (target === ALL) {
    return ALL_TIMEOUT_MS;
  }
  return name === 'drain' ? DRAIN_TIMEOUT_MS : undefined;
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
