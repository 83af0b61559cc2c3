import { z } from 'zod';
import { COMMANDS, type Command, type CommandName, parseCommand } from '../../admin/commands.ts';
import { CommandError } from '../../admin/outcome.ts';
import type { CommandPort, Door } from '../../admin/request.ts';
import { MAX_ID_LENGTH, requestSchema } from '../../admin/request.ts';
import type { Clock } from '../../system/clock.ts';
import type { Limits, Slots } from './limits.ts';
import type { Health, HealthAnswer } from '../../health/judge.ts';
import type { MetricsPort } from './ports.ts';
import { type HttpAnswer, outcomeAnswer } from './refusal.ts';

export const API = '/api/v1';
/** Takes any command by its name. */
export const COMMANDS_PATH = `${API}/commands`;
export const EVENTS_PATH = `${API}/events`;
export const LIVEZ = '/livez';
export const READYZ = '/readyz';
export const OPENAPI_PATH = '/api/openapi.json';

/** Headers of ours, in lower case. */
export const ID_HEADER = 'idempotency-key';
export const USER_HEADER = 'x-geoflock-user';
const DOOR_HEADER = 'x-geoflock-door';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** A request as the library has read it. */
export interface HttpCall {
  /** Segments of the path by name, decoded. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  /** Undefined: there is none. */
  readonly body: unknown;
  header(name: string): string | undefined;
  readonly remoteAddress: string;
}

export interface Route {
  readonly method: Method;
  /** With `{name}` for a segment that may be anything. */
  readonly path: string;
  readonly bodyBytes: number;
  /** @throws Refusal, CommandError */
  readonly answer: (call: HttpCall) => Promise<HttpAnswer>;
}

export interface RoutePorts {
  readonly commands: CommandPort;
  readonly clock: Clock;
  /** Name of this one. */
  readonly replica: string;
  readonly limits: Limits;
  readonly slots: Slots;
  readonly newId: () => string;
}

/** Health, metrics and the document. */
export function otherRoutes(
  health: Health,
  metrics: MetricsPort,
  document: Readonly<Record<string, unknown>>,
): readonly Route[] {
  const get = (path: string, answer: () => HttpAnswer | Promise<HttpAnswer>): Route => ({
    method: 'GET',
    path,
    bodyBytes: 1,
    answer: async () => await answer(),
  });
  const healthAnswer = (answer: HealthAnswer): HttpAnswer => ({
    status: answer.status === 'failing' ? 503 : 200,
    body: answer,
  });
  return [
    get(LIVEZ, () => healthAnswer(health.livez())),
    get(READYZ, () => healthAnswer(health.readyz())),
    get('/healthz', () => healthAnswer(health.healthz())),
    get('/metrics', async () => {
      const { contentType, text } = await metrics.metrics();
      return { status: 200, headers: { 'content-type': contentType }, text };
    }),
    get(OPENAPI_PATH, () => ({ status: 200, body: document })),
  ];
}

/** A route for each command of the table, and one that takes any. */
export function commandRoutes(ports: RoutePorts): readonly Route[] {
  const { limits } = ports;
  const named = (Object.keys(COMMANDS) as readonly CommandName[]).map((name): Route => {
    const { method, path } = COMMANDS[name].http;
    return {
      method,
      path: API + path,
      bodyBytes: name === 'predict' ? limits.predictBodyBytes : limits.bodyBytes,
      answer: (call) => submit(ports, call, () => parseCommand({ ...parametersOf(method, call), name })),
    };
  });
  const any: Route = {
    method: 'POST',
    path: COMMANDS_PATH,
    bodyBytes: limits.bodyBytes,
    answer: (call) => submit(ports, call, () => parseCommand(bodyOf(call))),
  };
  return [...named, any];
}

/** Methods that a path takes, whatever the names in it; none: there is no such path. */
export function methodsOf(
  path: string,
  routes: readonly Pick<Route, 'method' | 'path'>[],
): readonly Method[] {
  const segments = path.split('/');
  const found = routes.filter((route) => {
    const wanted = route.path.split('/');
    return (
      wanted.length === segments.length &&
      wanted.every((one, index) => (one.startsWith('{') ? segments[index] !== '' : one === segments[index]))
    );
  });
  return [...new Set(found.map(({ method }) => method))].sort();
}

async function submit(ports: RoutePorts, call: HttpCall, read: () => Command): Promise<HttpAnswer> {
  const { clock, commands, limits, newId, replica, slots } = ports;
  const command = read();
  const target = targetOf(call) ?? replica;
  const id = idOf(call) ?? newId();
  const door: Door = call.header(DOOR_HEADER) === 'cli' ? 'cli' : 'http';
  const by = byOf(call, door);
  const expiresAt = clock.now() + (timeoutOf(call) ?? limits.expiresAfterMs);
  const release = slots.take();
  try {
    return outcomeAnswer(await commands.submit({ id, target, expiresAt, by, door, command }));
  } finally {
    release();
  }
}

/** Those of the path and of the query or the body, in one object. */
function parametersOf(method: Method, call: HttpCall): Readonly<Record<string, unknown>> {
  const { target, timeout, ...query } = call.query;
  if (method !== 'GET' && Object.keys(query).length > 0) {
    throw new CommandError('invalid', `${Object.keys(query).join(', ')}: give it in the body, as JSON`);
  }
  const given = method === 'GET' ? query : bodyOf(call);
  const twice = [...Object.keys(call.params), 'name'].filter((name) => Object.hasOwn(given, name));
  if (twice.length > 0) {
    throw new CommandError('invalid', `${twice.join(', ')}: the path says it`);
  }
  const all = { ...given, ...call.params };
  const broken = Object.entries(all).find(([, value]) => typeof value === 'string' && value.includes('\0'));
  if (broken !== undefined) {
    throw new CommandError('invalid', `${broken[0]} is ${JSON.stringify(broken[1])}: expected no NUL`);
  }
  return all;
}

function bodyOf({ body = {} }: HttpCall): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new CommandError('invalid', 'expected a JSON object with the parameters');
  }
  return body as Readonly<Record<string, unknown>>;
}

function targetOf({ query }: HttpCall): string | undefined {
  return query['target'] === undefined
    ? undefined
    : checked('target', requestSchema.shape.target.unwrap(), query['target']);
}

/** Seconds from now until the command expires. */
const timeoutSchema = z.coerce.number().min(1).max(86_400);

/** Milliseconds. */
function timeoutOf({ query }: HttpCall): number | undefined {
  const { timeout } = query;
  return timeout === undefined ? undefined : 1000 * checked('timeout', timeoutSchema, timeout);
}

function idOf(call: HttpCall): string | undefined {
  const given = call.header(ID_HEADER);
  return given === undefined ? undefined : checked('Idempotency-Key', requestSchema.shape.id, given);
}

const user = z
  .string()
  .max(MAX_ID_LENGTH)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, 'expected ASCII characters');

/** The door and the address for certain; the name as it was said. */
function byOf(call: HttpCall, door: Door): string {
  const from = `${door}:${call.remoteAddress}`;
  const named = call.header(USER_HEADER);
  return named === undefined ? from : `${checked('X-Geoflock-User', user, named)} (${from})`;
}

function checked<T>(what: string, schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (!parsed.success) {
    const why = parsed.error.issues.map(({ message }) => message).join('; ');
    throw new CommandError('invalid', `${what} is ${JSON.stringify(value)}: ${why}`);
  }
  return parsed.data;
}
