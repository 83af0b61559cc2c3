import os from 'node:os';
import { z } from 'zod';
import { COMMANDS, type CommandName, type ResultOf } from '../../admin/commands.ts';
import { type ErrorCode, errorSchema } from '../../admin/outcome.ts';
import { formatDuration } from '../../config/units.ts';
import { type Posted, postJson } from './post.ts';
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

/** Long enough for any program on the way to accept a connection, on a busy machine too. */
const PROBE_MS = 5_000;

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

/** Asks a running Geoflock over HTTP. What is asked for is one request, so that nothing is sent twice. */
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
    const body = await this.#post(
      `/api/v1/commands?${query.toString()}`,
      JSON.stringify({ name, ...parameters }),
      AbortSignal.timeout(timeoutMs + GRACE_MS),
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
      const response = await fetch(`${this.url}/api/v1/events`, {
        headers: this.#headers(),
        signal,
        redirect: 'error',
      });
      if (!response.ok) {
        throw this.#refused(response.status, await response.text());
      }
      if (response.body !== null) {
        yield* serverSentEvents(response.body);
      }
    } catch (error) {
      if (!signal.aborted) {
        throw error instanceof AdminClientError ? error : this.#unreachable(error);
      }
    }
  }

  /** @returns the body, parsed; undefined where it is no JSON */
  async #post(path: string, body: string, signal: AbortSignal): Promise<unknown> {
    let posted: Posted;
    try {
      posted = await postJson(this.url + path, this.#headers(), body, signal);
    } catch (error) {
      throw this.#unreachable(error);
    }
    const { status, text } = posted;
    if (status !== 200) {
      throw this.#refused(status, text);
    }
    return jsonOf(text);
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

/** What fetch says is in its cause; where a name has several addresses, each has its own reason. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as Error;
  const told = cause instanceof Error ? cause : error;
  if (told instanceof AggregateError) {
    return told.errors.map((one) => (one as Error).message).join(', ');
  }
  return told instanceof Error ? told.message : message;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
