import { STATUS_CODES } from 'node:http';
import { CommandError, type ErrorCode, type Outcome } from '../../admin/outcome.ts';

/** What is refused before there is a command, and with which status. */
const REFUSALS = {
  'bad-request': 400,
  unauthenticated: 401,
  forbidden: 403,
  'not-found': 404,
  'method-not-allowed': 405,
  'request-timeout': 408,
  'too-large': 413,
  'uri-too-long': 414,
  'unsupported-media-type': 415,
  'too-many-requests': 429,
  'headers-too-large': 431,
  stopping: 503,
} as const;

const STATUS_OF: Readonly<Record<ErrorCode, number>> = {
  invalid: 400,
  'not-found': 404,
  paused: 409,
  busy: 409,
  'would-lose-rows': 409,
  'already-done': 409,
  refused: 409,
  expired: 410,
  internal: 500,
  unavailable: 503,
  stopping: 503,
  timeout: 504,
};

type RefusalCode = keyof typeof REFUSALS;

/** Every code that an error body may have, and the status it comes with. */
export const STATUSES: Readonly<Record<RefusalCode | ErrorCode, number>> = { ...REFUSALS, ...STATUS_OF };

export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** In the place of the body: sent as it is, as the content type that the headers name. */
  readonly text?: string;
}

/** Thrown where a request is refused. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: RefusalCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.code = code;
    this.headers = headers;
  }
}

/** The one form that an error has, whoever found it. */
export function errorAnswer(
  code: RefusalCode | ErrorCode,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  return { status: STATUSES[code], headers, body: { error: { code, message } } };
}

/** What a command came to. */
export function outcomeAnswer(outcome: Outcome): HttpAnswer {
  return outcome.status === 'done'
    ? { status: 200, body: outcome.result ?? null }
    : errorAnswer(outcome.error.code, outcome.error.message);
}

/** The answer to an error that this door knows; undefined for any other. */
export function answerToError(error: unknown): HttpAnswer | undefined {
  if (error instanceof Refusal) {
    return errorAnswer(error.code, error.message, error.headers);
  }
  return error instanceof CommandError ? errorAnswer(error.code, error.message) : undefined;
}

/** The answer to an error of the library or of the parser below it, by its `statusCode` or `code`. */
export function answerToFault(error: unknown): HttpAnswer {
  const { code = '', message, statusCode } = error as Error & { code?: string; statusCode?: number };
  const status = PARSER_STATUSES[code] ?? statusCode ?? (code.startsWith('HPE_') ? 400 : 500);
  const known = Object.entries(REFUSALS) as readonly (readonly [RefusalCode, number])[];
  const refusal = known.find(([, of]) => of === status)?.[0];
  if (refusal === undefined) {
    return status < 500
      ? errorAnswer('bad-request', message)
      : errorAnswer('internal', 'something failed that should not: the log of the process has it');
  }
  return errorAnswer(refusal, IN_WORDS[refusal] ?? message);
}

const PARSER_STATUSES: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: REFUSALS['request-timeout'],
  HPE_HEADER_OVERFLOW: REFUSALS['headers-too-large'],
};

/** Where the library's words do not say what to do. */
const IN_WORDS: Partial<Record<RefusalCode, string>> = {
  'request-timeout': 'the request did not come in time',
  'headers-too-large': 'the head of the request is too large',
  'too-large': 'the body is too large',
  'unsupported-media-type': 'expected a body of the type application/json',
};

/** The bytes of an answer after which the connection is closed. */
export function rawAnswer({ body, status }: HttpAnswer): string {
  const text = JSON.stringify(body);
  return [
    `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${String(Buffer.byteLength(text))}`,
    '',
    text,
  ].join('\r\n');
}
