import { z } from 'zod';
import { CommandError } from './outcome.ts';
import * as results from './results.ts';
import { STAGES } from './stages.ts';

/**
 * Every command there is, in one table: its parameters, what it answers, where it takes effect, and what
 * a repetition does. The doors (HTTP with its OpenAPI document, the command line, the control topic) are
 * made from this table and only translate.
 */
export interface CommandSpec {
  /** One line for help and OpenAPI. */
  readonly summary: string;
  /** None is called `name`: beside them that is the command's own. */
  readonly parameters: z.ZodObject;
  readonly result: z.ZodType;
  /**
   * `query`: changes nothing. `replica`: acts on each replica that it is addressed to. `shared`: acts on
   * what all replicas share, and whoever carries it out does so for all, once for each id.
   */
  readonly scope: 'query' | 'replica' | 'shared';
  /** What happens when it is sent a second time under another id. */
  readonly repeated: string;
  readonly http: { readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'; readonly path: `/${string}` };
}

const stage = z.enum(STAGES).describe('a stage of the data path');
const time = z.iso.datetime({ offset: true }).describe('ISO 8601 with its zone');
/** Most entries that a command lists. */
export const MOST_LISTED = 10_000;
const limit = z.coerce.number().int().min(1).max(MOST_LISTED).default(100);
const connection = z.string().min(1).max(200).describe('its name, as connections.list tells it');
/** Of a file: nothing outside of the input folder can be meant. */
const path = z
  .string()
  .min(1)
  .max(4096)
  .refine((value) => !value.startsWith('/') && !value.includes('\0') && !value.split('/').includes('..'), {
    message: 'expected a path relative to the input folder, without ..',
  })
  .describe('relative to the input folder');
const none = z.strictObject({});

const spec = <P extends z.ZodObject, R extends z.ZodType>(
  one: CommandSpec & { readonly parameters: P; readonly result: R },
): CommandSpec & { readonly parameters: P; readonly result: R } => one;

export const COMMANDS = {
  status: spec({
    summary: 'what this replica does: stages, connections, partitions, totals, model, warnings',
    parameters: none,
    result: results.status,
    scope: 'query',
    repeated: 'answers anew',
    http: { method: 'GET', path: '/status' },
  }),
  topology: spec({
    summary: 'the tree of actors and the connections between the stages',
    parameters: none,
    result: results.topology,
    scope: 'query',
    repeated: 'answers anew',
    http: { method: 'GET', path: '/topology' },
  }),
  pause: spec({
    summary:
      'let a stage begin no more work; what comes queues up to its threshold, then stops what is above',
    parameters: z.strictObject({ stage }),
    result: results.stageState,
    scope: 'replica',
    repeated: 'changes nothing more',
    http: { method: 'POST', path: '/stages/{stage}/pause' },
  }),
  resume: spec({
    summary: 'let a paused stage go on',
    parameters: z.strictObject({ stage }),
    result: results.stageState,
    scope: 'replica',
    repeated: 'changes nothing more',
    http: { method: 'POST', path: '/stages/{stage}/resume' },
  }),
  'run-once': spec({
    summary:
      'let a paused stage do one unit of its work: one scan, one transaction, one read, one batch, one model, one report',
    parameters: z.strictObject({ stage }),
    result: results.ranOnce,
    scope: 'replica',
    repeated: 'lets one more unit through',
    http: { method: 'POST', path: '/stages/{stage}/run-once' },
  }),
  restart: spec({
    summary: 'stop an actor, await what it is at, and start it anew from what is committed',
    parameters: z.strictObject({
      actor: z.string().min(1).max(300).describe('a stage, or the path of an actor as topology tells it'),
    }),
    result: results.restarted,
    scope: 'replica',
    repeated: 'restarts once more',
    http: { method: 'POST', path: '/restart' },
  }),
  'connections.list': spec({
    summary: 'the connections between the stages: what is in each, its thresholds, who waits',
    parameters: none,
    result: results.connections,
    scope: 'query',
    repeated: 'answers anew',
    http: { method: 'GET', path: '/connections' },
  }),
  'connections.peek': spec({
    summary: 'what waits in a connection, in order',
    parameters: z.strictObject({ connection, limit }),
    result: results.queue,
    scope: 'query',
    repeated: 'answers anew',
    http: { method: 'GET', path: '/connections/{connection}' },
  }),
  'connections.empty': spec({
    summary: 'drop what waits in a connection; rows only with discard, and then they are rejected rows',
    parameters: z.strictObject({
      connection,
      discard: z.boolean().default(false).describe('set rows aside as rejected, with the reason discarded'),
    }),
    result: results.emptied,
    scope: 'replica',
    repeated: 'drops what has come since',
    http: { method: 'POST', path: '/connections/{connection}/empty' },
  }),
  drain: spec({
    summary: 'count everything that is there now, then publish the canonical model',
    parameters: none,
    result: results.drained,
    scope: 'replica',
    repeated: 'takes up what has come since',
    http: { method: 'POST', path: '/drain' },
  }),
  checkpoint: spec({
    summary: 'commit what is counted now, and answer when it is on stable storage',
    parameters: none,
    result: results.checkpointed,
    scope: 'replica',
    repeated: 'commits what has come since',
    http: { method: 'POST', path: '/checkpoint' },
  }),
  'settings.list': spec({
    summary: 'what can be set while it runs: the value in use, and where it is from',
    parameters: none,
    result: results.settings,
    scope: 'query',
    repeated: 'answers anew',
    http: { method: 'GET', path: '/settings' },
  }),
  set: spec({
    summary: 'set k, half-life, lateness, log level or a threshold for all replicas; it outlives a restart',
    parameters: z.strictObject({
      key: z
        .string()
        .min(1)
        .max(100)
        .describe('k, half-life, lateness, log-level, or the key of the configuration'),
      value: z.union([z.string().max(100), z.number()]).describe('as it is written in the configuration'),
    }),
    result: results.setting,
    scope: 'shared',
    repeated: 'changes nothing more',
    http: { method: 'PUT', path: '/settings/{key}' },
  }),
  unset: spec({
    summary: 'go back to what the configuration says',
    parameters: z.strictObject({ key: z.string().min(1).max(100) }),
    result: results.setting,
    scope: 'shared',
    repeated: 'changes nothing more',
    http: { method: 'DELETE', path: '/settings/{key}' },
  }),
  predict: spec({
    summary: 'to which cluster of the served model each position belongs',
    parameters: z.strictObject({
      positions: z
        .array(
          z.strictObject({
            longitude: z.number().min(-180).max(180).describe('degrees east'),
            latitude: z.number().min(-90).max(90).describe('degrees north'),
          }),
        )
        .min(1)
        .max(10_000),
    }),
    result: results.predictions,
    scope: 'query',
    repeated: 'answers anew',
    http: { method: 'POST', path: '/predict' },
  }),
  'models.list': spec({
    summary: 'the published models, the newest first',
    parameters: z.strictObject({ limit }),
    result: results.models,
    scope: 'query',
    repeated: 'answers anew',
    http: { method: 'GET', path: '/models' },
  }),
  'models.show': spec({
    summary: 'a published model with its clusters, bound and lineage',
    parameters: z.strictObject({
      model: z
        .union([z.literal('latest'), z.coerce.number().int().min(0)])
        .default('latest')
        .describe('its number'),
    }),
    result: results.model,
    scope: 'query',
    repeated: 'answers anew',
    http: { method: 'GET', path: '/models/{model}' },
  }),
  'rejected.list': spec({
    summary: 'rows that were set aside, the oldest first',
    parameters: z.strictObject({
      reason: z.string().max(100).optional(),
      file: z.string().max(4096).optional().describe('path relative to the input folder, or id of a file'),
      all: z.stringbool().or(z.boolean()).default(false).describe('also those that were redriven'),
      limit,
    }),
    result: results.rejectedRows,
    scope: 'query',
    repeated: 'answers anew',
    http: { method: 'GET', path: '/rejected' },
  }),
  'rejected.show': spec({
    summary: 'everything that is known of a rejected row',
    parameters: z.strictObject({ id: z.string().min(1).max(500) }),
    result: results.rejectedRow,
    scope: 'query',
    repeated: 'answers anew',
    http: { method: 'GET', path: '/rejected/{id}' },
  }),
  'rejected.redrive': spec({
    summary: 'send rejected rows to the log again that are good by the settings of now',
    parameters: z.strictObject({
      ids: z.array(z.string().min(1).max(500)).min(1).max(1_000).optional(),
      reason: z.string().max(100).optional(),
      file: z.string().max(4096).optional(),
      all: z.boolean().default(false).describe('in the place of ids, reason and file: all that are rejected'),
      row: z
        .string()
        .max(65_536)
        .optional()
        .describe("a line in the topic's columns in the place of the one row named"),
    }),
    result: results.redriven,
    scope: 'shared',
    repeated: 'sends nothing twice: a row is redriven once',
    http: { method: 'POST', path: '/rejected/redrive' },
  }),
  'files.list': spec({
    summary: 'the files of the ledger in the order in which they were claimed',
    parameters: z.strictObject({ state: z.string().max(20).optional(), limit }),
    result: results.files,
    scope: 'query',
    repeated: 'answers anew',
    http: { method: 'GET', path: '/files' },
  }),
  'files.show': spec({
    summary: 'where a file is: rows read, counted and rejected, when, by whom, at which offsets of the log',
    parameters: z.strictObject({ path }),
    result: results.file,
    scope: 'query',
    repeated: 'answers anew',
    http: { method: 'GET', path: '/files/{path}' },
  }),
  'files.retry': spec({
    summary: 'try failed files again: one by its path, or all',
    parameters: z.strictObject({ path: path.optional() }),
    result: results.retried,
    scope: 'shared',
    repeated: 'tries again what has failed since',
    http: { method: 'POST', path: '/files/retry' },
  }),
  rewind: spec({
    summary: 'drop all summaries and count anew from an offset or a time',
    parameters: z
      .strictObject({
        toOffset: z.union([z.literal('earliest'), z.number().int().min(0)]).optional(),
        toTime: time.optional(),
      })
      .refine(({ toOffset, toTime }) => (toOffset === undefined) !== (toTime === undefined), {
        message: 'name toOffset or toTime, and not both',
      }),
    result: results.rewound,
    scope: 'shared',
    repeated: 'counts anew once more',
    http: { method: 'POST', path: '/rewind' },
  }),
  shutdown: spec({
    summary: 'drain what is read, commit, and end the process with exit code 0',
    parameters: none,
    result: results.ending,
    scope: 'replica',
    repeated: 'changes nothing more: it is ending',
    http: { method: 'POST', path: '/shutdown' },
  }),
} as const satisfies Readonly<Record<string, CommandSpec>>;

export type CommandName = keyof typeof COMMANDS;

export type ParametersOf<N extends CommandName> = z.output<(typeof COMMANDS)[N]['parameters']>;
export type ResultOf<N extends CommandName> = z.input<(typeof COMMANDS)[N]['result']>;

/** A valid command: its name and its parameters. */
export type Command = {
  [N in CommandName]: { readonly name: N; readonly parameters: ParametersOf<N> };
}[CommandName];

function isCommandName(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}

/**
 * `{"name": "pause", "stage": "publisher"}` as a command.
 * @throws CommandError `invalid`, naming the parameter, its value and what was expected.
 */
export function parseCommand(value: Readonly<Record<string, unknown>>): Command {
  const { name, ...given } = value;
  if (typeof name !== 'string' || !isCommandName(name)) {
    const known = Object.keys(COMMANDS).join(', ');
    throw new CommandError('invalid', `there is no command ${told(name)}; there are: ${known}`);
  }
  const parsed = COMMANDS[name].parameters.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ message, path }) => {
      const at = path.join('.');
      return at === '' ? message : `${at} is ${told(valueAt(given, path))}: ${message}`;
    });
    throw new CommandError('invalid', `${name}: ${problems.join('; ')}`);
  }
  return { name, parameters: parsed.data } as Command;
}

function told(value: unknown): string {
  return value === undefined ? 'missing' : JSON.stringify(value);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) =>
      typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  );
}
