import { z } from 'zod';

/** Why a command was not carried out. */
export const ERROR_CODES = [
  /** It is no command, or a parameter is not what it should be. */
  'invalid',
  /** What it names is not there. */
  'not-found',
  /** It needs a stage that is paused. */
  'paused',
  /** Something that excludes it is under way. */
  'busy',
  /** It would lose rows, and that was not said to be meant. */
  'would-lose-rows',
  /** It came after its expiry. */
  'expired',
  /** A command of this id was carried out before, or its outcome is not known. */
  'already-done',
  /** It cannot be had as things stand: a rewind beyond the log's start, a model before there is one. */
  'refused',
  /** It did not end in time; it may still. */
  'timeout',
  /** The broker or another part does not answer. */
  'unavailable',
  /** The process is ending. */
  'stopping',
  'internal',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export const errorSchema = z.object({
  code: z.enum(ERROR_CODES),
  message: z.string().describe('what is wrong, with the value, and the remedy'),
});

/** What a command came to. */
export type Outcome =
  | { readonly status: 'done'; readonly result: unknown }
  | { readonly status: 'failed'; readonly error: { readonly code: ErrorCode; readonly message: string } };

/** Thrown where a command is carried out; every door tells it in its own way. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
