import os from 'node:os';
import { z } from 'zod';
import { COMMANDS, type CommandName, type ResultOf } from '../../admin/commands.ts';
import { type ErrorCode, errorSchema } from '../../admin/outcome.ts';
import { formatDuration } from '../../config/units.ts';
import { type ServerSentEvent, serverSentEvents } from './sse.ts';

export interface AdminClientOptions {
  /** Of the process that is asked, as in `http://127.0.0.1:8470`. */
  readonly url: string;
  readonly token: string | null;
  /** Name of a replica, any or all; undefined: the one that is asked. */
  readonly target: string | undefined;
  readonly timeoutMs: number;
}

/** What the process refused, or why it could not be asked; the message is for the user. */
export class AdminClientError extends Error {
  override readonly name = 'AdminClientError';
  /** Undefined: no answer of the form that was expected. */
  readonly code: ErrorCode | undefined;

  constructor(message: string, code?: ErrorCode) {
    super(message);
    this.code = code;
  }
}

/** Long enough for any program on the way to accept a connection. */
const PROBE_MS = 2_000;

/** The other side gives up first, and tells what it knows. */
const GRACE_MS = 2_000;

/** What all replicas answer, each for itself. */
const repliesBody = z.object({
  replies: z.array(
    z.object({
      replica: z.string(),
      status: z.enum(['done', 'failed']),
      result: z.unknown().optional(),
      error: z.object({ code: z.string(), message: z.string() }).optional(),
    }),
  ),
});

const errorBody = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

/** Asks a running Geoflock over HTTP. */
export class AdminClient {
  readonly url: string;
  readonly #options: AdminClientOptions;

  constructor(options: AdminClientOptions) {
    this.url = options.url.replace(/\/+$/, '');
    this.#options = options;
  }

  /** Whether anything answers there. */
  async isThere(): Promise<boolean> {
    try {
      const response = await fetch(`${this.url}/livez`, { signal: AbortSignal.timeout(PROBE_MS) });
      await response.body?.cancel();
      return true;
    } catch {
      return false;
    }
  }

  /**
   * @param parameters valid ones
   * @throws AdminClientError
   */
  async ask<N extends CommandName>(
    name: N,
    parameters: Readonly<Record<string, unknown>> = {},
  ): Promise<ResultOf<N>> {
    return (await this.#command(
      name,
      parameters,
      (body) => COMMANDS[name].result.safeParse(body).success,
    )) as ResultOf<N>;
  }

  /**
   * Asks all replicas.
   * @throws AdminClientError
   */
  async askAll(
    name: CommandName,
    parameters: Readonly<Record<string, unknown>>,
  ): Promise<z.output<typeof repliesBody>> {
    const body = await this.#command(name, parameters, (answer) => repliesBody.safeParse(answer).success);
    return body as z.output<typeof repliesBody>;
  }

  async #command(
    name: CommandName,
    parameters: Readonly<Record<string, unknown>>,
    isKnown: (body: unknown) => boolean,
  ): Promise<unknown> {
    const { target, timeoutMs } = this.#options;
    const query = new URLSearchParams({
      timeout: String(Math.max(1, timeoutMs / 1000)),
      ...(target === undefined ? {} : { target }),
    });
    const body = await this.#fetch(
      `/api/v1/commands?${query.toString()}`,
      { method: 'POST', body: JSON.stringify({ name, ...parameters }) },
      AbortSignal.timeout(timeoutMs + GRACE_MS),
      async (response): Promise<unknown> => await response.json(),
    );
    if (!isKnown(body)) {
      throw new AdminClientError(
        `${this.url} answers in a form that this version does not know: use the command line of the version that runs there`,
      );
    }
    return body;
  }

  /**
   * The status once a second, until `signal` aborts or the other side ends.
   * @throws AdminClientError
   */
  async *events(signal: AbortSignal): AsyncGenerator<ServerSentEvent> {
    try {
      const stream = await this.#fetch('/api/v1/events', {}, signal, (response) =>
        Promise.resolve(response.body),
      );
      if (stream !== null) {
        yield* serverSentEvents(stream);
      }
    } catch (error) {
      if (!signal.aborted) {
        throw error instanceof AdminClientError ? error : this.#unreachable(error);
      }
    }
  }

  async #fetch<T>(
    path: string,
    init: RequestInit,
    signal: AbortSignal,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    try {
      const headers = { ...this.#headers(), ...(init.body === undefined ? {} : JSON_TYPE) };
      const response = await fetch(this.url + path, { ...init, headers, signal, redirect: 'error' });
      if (response.ok) {
        return await read(response);
      }
      throw this.#refused(response.status, await response.text());
    } catch (error) {
      throw error instanceof AdminClientError ? error : this.#unreachable(error);
    }
  }

  #headers(): Readonly<Record<string, string>> {
    const { token } = this.#options;
    return {
      'x-geoflock-door': 'cli',
      ...userHeader(),
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
    };
  }

  #refused(status: number, text: string): AdminClientError {
    if (status === 401) {
      const what = this.#options.token === null ? 'needs a token' : 'does not take this token';
      return new AdminClientError(
        `${this.url} ${what}: name the file that holds it with --token-file, or set GEOFLOCK_ADMIN_TOKEN`,
      );
    }
    const parsed = errorBody.safeParse(jsonOf(text));
    if (!parsed.success) {
      return new AdminClientError(`${this.url} answers ${String(status)}, and not as Geoflock does`);
    }
    const { code, message } = parsed.data.error;
    return new AdminClientError(message, errorSchema.shape.code.safeParse(code).data);
  }

  #unreachable(error: unknown): AdminClientError {
    if (error instanceof Error && error.name === 'TimeoutError') {
      return new AdminClientError(
        `${this.url} has not answered within ${formatDuration(this.#options.timeoutMs)} (--timeout): what was asked ` +
          'for may still be done; `geoflock status` tells',
        'timeout',
      );
    }
    return new AdminClientError(
      `nothing answers at ${this.url} (${reasonOf(error)}): start it with \`geoflock run\`, or name where it runs ` +
        'with --url or GEOFLOCK_ADMIN_URL',
    );
  }
}

const JSON_TYPE = { 'content-type': 'application/json' } as const;

/** Who runs the command, where the name can stand in a header. */
function userHeader(): Readonly<Record<string, string>> {
  try {
    const { username } = os.userInfo();
    return /^[\x21-\x7e]{1,100}$/.test(username) ? { 'x-geoflock-user': username } : {};
  } catch {
    // A user without an entry in the system's list, as in a container.
    return {};
  }
}

/** What fetch says is in its cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  if (cause instanceof AggregateError) {
    return cause.errors.map((one) => (one as Error).message).join(', ');
  }
  return cause instanceof Error ? cause.message : message;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
