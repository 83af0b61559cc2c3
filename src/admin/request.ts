import { z } from 'zod';
import { type Command, parseCommand } from './commands.ts';
import { CommandError, type Outcome } from './outcome.ts';

export const DOORS = ['http', 'cli', 'control'] as const;

/** Through which a command came. */
export type Door = (typeof DOORS)[number];

/** Any replica: the one that is asked, or on the control topic whichever takes it first. */
export const ANY = 'any';
/** Each replica. */
export const ALL = 'all';

export const MAX_ID_LENGTH = 100;
export const MAX_BY_LENGTH = 200;
const ID = /^[A-Za-z0-9._:-]+$/;

/** A command as it stands on the control topic, and as a door hands it to the admin actor. */
export const requestSchema = z.strictObject({
  id: z.string().min(1).max(MAX_ID_LENGTH).regex(ID, 'expected letters, digits and . _ : - only'),
  target: z.string().min(1).max(200).default(ANY),
  /** Wall-clock ms; a replica that reads it later lets it be. */
  expiresAt: z.number().int().positive(),
  by: z.string().min(1).max(MAX_BY_LENGTH),
  command: z.record(z.string(), z.unknown()),
});

export interface CommandRequest {
  readonly id: string;
  /** Name of a replica, `any` or `all`. */
  readonly target: string;
  readonly expiresAt: number;
  /** Who asked: a user's name, or what the door knows of them. */
  readonly by: string;
  readonly door: Door;
  readonly command: Command;
}

/** What the doors are given: every command goes through it. Never rejects. */
export interface CommandPort {
  submit(request: CommandRequest): Promise<Outcome>;
  /** What `status` answers, for whoever watches: it is in no audit. */
  look(): Promise<Outcome>;
}

/**
 * Reads a command of a door that takes JSON as it comes.
 * @throws CommandError `invalid`, naming what is wrong.
 */
export function parseRequest(value: unknown, door: Door): CommandRequest {
  const parsed = requestSchema.safeParse(value);
  if (!parsed.success) {
    throw new CommandError('invalid', inWords(parsed.error));
  }
  const { command, ...envelope } = parsed.data;
  return { ...envelope, door, command: parseCommand(command) };
}

function inWords(error: z.ZodError): string {
  return error.issues
    .map(({ message, path }) => [path.join('.'), message].filter(Boolean).join(': '))
    .join('; ');
}
