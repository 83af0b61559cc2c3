import { z } from 'zod';
import { COMMANDS, type CommandName, type CommandSpec } from '../../admin/commands.ts';
import { ALL, ANY, MAX_ID_LENGTH, requestSchema } from '../../admin/request.ts';
import { LIMITS } from './limits.ts';
import { STATUSES } from './refusal.ts';
import { API, COMMANDS_PATH, EVENTS_PATH, OPENAPI_PATH } from './routes.ts';

type Json = Readonly<Record<string, unknown>>;

export interface OpenApiOptions {
  /** Of the program. */
  readonly version: string;
  readonly needsToken: boolean;
}

/** Statuses of answers to any request for a command. */
const ERRORS = [...new Set(Object.values(STATUSES))]
  .filter((status) => status !== STATUSES['headers-too-large'])
  .sort();

/** The OpenAPI 3.1 document of all routes, from the schemas by which the commands are read. */
export function openApiDocument({ needsToken, version }: OpenApiOptions): Json {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Geoflock',
      version,
      description: 'Commands, status and health of a running Geoflock.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [needsToken ? { token: [] } : {}],
    tags: [{ name: 'commands' }, { name: 'events' }, { name: 'health' }, { name: 'document' }],
    paths: { ...commandPaths(), ...otherPaths(needsToken) },
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'that of admin.token' } },
      parameters: { target: TARGET, timeout: TIMEOUT, id: ID, user: USER },
      responses: Object.fromEntries(
        ERRORS.map((status) => [`error${String(status)}`, errorResponse(status)]),
      ),
      schemas: { error: ERROR, health: HEALTH, status: resultSchema('status') },
    },
  };
}

const TARGET: Json = {
  name: 'target',
  in: 'query',
  description: `Who carries it out: the name of a replica, ${ANY} or ${ALL}. Without it the one that is asked.`,
  schema: schemaOf(requestSchema.shape.target.unwrap()),
};

const TIMEOUT: Json = {
  name: 'timeout',
  in: 'query',
  description:
    'Seconds after which the command expires: an answer is not awaited any longer, and who has not taken it up by then ' +
    'lets it be.',
  schema: { type: 'number', minimum: 1, maximum: 86_400, default: LIMITS.expiresAfterMs / 1000 },
};

const ID: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'The id of the command: sent again with the same id it is not carried out again.',
  schema: schemaOf(requestSchema.shape.id),
};

const USER: Json = {
  name: 'X-Geoflock-User',
  in: 'header',
  description: 'Who asks, for the record of commands.',
  schema: { type: 'string', minLength: 1, maxLength: MAX_ID_LENGTH },
};

const ERROR: Json = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'string', enum: Object.keys(STATUSES) },
        message: { type: 'string', description: 'what is wrong, with the value, and the remedy' },
      },
    },
  },
};

const HEALTH: Json = {
  type: 'object',
  required: ['status', 'reasons'],
  properties: {
    status: { type: 'string', enum: ['ok', 'degraded', 'failing'] },
    reasons: { type: 'array', items: { type: 'string' } },
  },
};

function commandPaths(): Json {
  const paths: Record<string, Record<string, Json>> = {};
  for (const name of Object.keys(COMMANDS) as readonly CommandName[]) {
    const { method, path } = COMMANDS[name].http;
    (paths[API + path] ??= {})[method.toLowerCase()] = commandOperation(name);
  }
  paths[COMMANDS_PATH] = {
    post: operation('command', 'commands', 'any command, by its name', {
      parameters: OWN_PARAMETERS,
      requestBody: jsonBody({ oneOf: (Object.keys(COMMANDS) as readonly CommandName[]).map(namedCommand) }),
      responses: { 200: jsonResponse('what the command answers', {}), ...errors(ERRORS) },
    }),
  };
  return paths;
}

const OWN_PARAMETERS = ['target', 'timeout', 'id', 'user'].map((name) => ({
  $ref: `#/components/parameters/${name}`,
}));

function commandOperation(name: CommandName): Json {
  const { http, parameters, repeated, scope, summary }: CommandSpec = COMMANDS[name];
  const { properties, required } = objectOf(parameters);
  const inPath = [...http.path.matchAll(/\{(\w+)\}/g)].map(([, one]) => one ?? '');
  const others = Object.keys(properties).filter((one) => !inPath.includes(one));
  const isQuery = http.method === 'GET';
  const parameter = (one: string, place: 'path' | 'query'): Json => {
    const { default: unless, ...schema } = properties[one] ?? {};
    return {
      name: one,
      in: place,
      required: place === 'path' || required.includes(one),
      schema: place === 'path' || unless === undefined ? schema : { ...schema, default: unless },
    };
  };
  const needed = required.filter((one) => others.includes(one));
  return operation(name, 'commands', summary, {
    description: `${SCOPES[scope]} Sent again under another id it ${repeated}.`,
    parameters: [
      ...inPath.map((one) => parameter(one, 'path')),
      ...(isQuery ? others.map((one) => parameter(one, 'query')) : []),
      ...OWN_PARAMETERS,
    ],
    ...(isQuery || others.length === 0
      ? {}
      : {
          requestBody: jsonBody(
            {
              type: 'object',
              properties: Object.fromEntries(others.map((one) => [one, properties[one]])),
              ...(needed.length === 0 ? {} : { required: needed }),
              additionalProperties: false,
            },
            needed.length > 0,
          ),
        }),
    responses: {
      200: jsonResponse(
        'done',
        name === 'status' ? { $ref: '#/components/schemas/status' } : resultSchema(name),
      ),
      ...errors(ERRORS),
    },
  });
}

const SCOPES: Readonly<Record<CommandSpec['scope'], string>> = {
  query: 'Changes nothing.',
  replica: 'Acts on each replica that it is addressed to.',
  shared: 'Acts on what all replicas share, once for each id.',
};

/** `{ "name": ..., parameters }`. */
function namedCommand(name: CommandName): Json {
  const { properties, required } = objectOf(COMMANDS[name].parameters);
  return {
    type: 'object',
    title: name,
    properties: { name: { type: 'string', const: name }, ...properties },
    required: ['name', ...required],
    additionalProperties: false,
  };
}

function otherPaths(needsToken: boolean): Json {
  const health = (id: string, summary: string, open: boolean): Json => ({
    get: operation(id, 'health', summary, {
      ...(open && needsToken ? { security: [{}] } : {}),
      responses: {
        200: jsonResponse('it is', { $ref: '#/components/schemas/health' }),
        503: jsonResponse('it is not, or the process is ending', {
          anyOf: [{ $ref: '#/components/schemas/health' }, { $ref: '#/components/schemas/error' }],
        }),
        ...errors(open ? [400, 403] : [400, 401, 403, 429]),
      },
    }),
  });
  const text = (description: string, type: string): Json => ({
    200: { description, content: { [type]: { schema: { type: 'string' } } } },
    ...errors([400, 401, 403, 429, 503]),
  });
  return {
    [EVENTS_PATH]: {
      get: operation(
        'events',
        'events',
        'server-sent events: `status` once a second, `problem` without one',
        {
          responses: text('events, as long as the connection is held', 'text/event-stream'),
        },
      ),
    },
    '/livez': health('livez', 'whether the process should be left running', true),
    '/readyz': health('readyz', 'whether it makes progress, or has nothing to do', true),
    '/healthz': health('healthz', 'all of it in short', false),
    '/metrics': {
      get: operation('metrics', 'health', 'metrics', { responses: text('metrics', 'text/plain') }),
    },
    [OPENAPI_PATH]: {
      get: operation('openapi', 'document', 'this document', {
        responses: {
          200: jsonResponse('OpenAPI 3.1', { type: 'object' }),
          ...errors([400, 401, 403, 429, 503]),
        },
      }),
    },
  };
}

function operation(id: string, tag: string, summary: string, rest: Json): Json {
  return { operationId: id, tags: [tag], summary, ...rest };
}

function jsonBody(schema: Json, required = true): Json {
  return { required, content: { 'application/json': { schema } } };
}

function jsonResponse(description: string, schema: Json): Json {
  return { description, content: { 'application/json': { schema } } };
}

function errors(statuses: readonly number[]): Json {
  return Object.fromEntries(
    statuses.map((status) => [status, { $ref: `#/components/responses/error${String(status)}` }]),
  );
}

function errorResponse(status: number): Json {
  const codes = Object.entries(STATUSES).flatMap(([code, of]) => (of === status ? [code] : []));
  return {
    ...jsonResponse(codes.join(', '), { $ref: '#/components/schemas/error' }),
    ...(status === STATUSES['too-many-requests']
      ? { headers: { 'Retry-After': { description: 'seconds', schema: { type: 'integer' } } } }
      : {}),
  };
}

function objectOf(schema: z.ZodType): {
  readonly properties: Readonly<Record<string, Json>>;
  readonly required: readonly string[];
} {
  const { properties = {}, required = [] } = schemaOf(schema) as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return { properties, required };
}

function schemaOf(schema: z.ZodType): Json {
  const { $schema, ...plain } = z.toJSONSchema(schema, { io: 'input' });
  return plain;
}

/** What is answered may have more than this version knows of. */
function resultSchema(name: CommandName): Json {
  const { $schema, ...plain } = z.toJSONSchema(COMMANDS[name].result, { io: 'input' });
  return plain;
}
