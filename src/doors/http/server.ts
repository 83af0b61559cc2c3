import type { Socket } from 'node:net';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Logger } from '../../system/logger.ts';
import type { StatusEvents } from './events.ts';
import type { Guard } from './guard.ts';
import type { Limits, RequestRates } from './limits.ts';
import { answerToError, answerToFault, errorAnswer, type HttpAnswer, rawAnswer, Refusal } from './refusal.ts';
import { EVENTS_PATH, type HttpCall, ID_HEADER, methodsOf, type Route, USER_HEADER } from './routes.ts';

/** What the server is made of; it only carries these to the library and back. */
export interface ServerParts {
  readonly routes: readonly Route[];
  /** Paths that are answered whoever asks, and however often: those of probes. */
  readonly open: readonly string[];
  readonly guard: Guard;
  readonly rates: RequestRates;
  readonly events: StatusEvents;
  readonly limits: Limits;
  readonly log: Logger;
}

export interface HttpServer {
  /**
   * @returns the port
   * @throws Error of the system, with its `code`
   */
  listen(address: string, port: number): Promise<number>;
  /** Ends streams and idle connections at once; resolves when the requests under way are answered. */
  close(): Promise<void>;
  /** Ends all connections. */
  cut(): void;
}

/** What every answer says: it is of now, and it is what its type says. */
const ALWAYS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

export function createHttpServer(parts: ServerParts): HttpServer {
  const { events, limits, routes } = parts;
  const app = fastify({
    logger: false,
    bodyLimit: limits.bodyBytes,
    keepAliveTimeout: limits.keepAliveMs,
    requestTimeout: limits.requestMs,
    return503OnClosing: false,
    // A parameter is as long as a head may be.
    routerOptions: { maxParamLength: limits.headerBytes },
    http: {
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: Math.max(1, Math.min(limits.headersMs / 4, 1_000)),
      maxHeaderSize: limits.headerBytes,
      // It is asked for here, so that the answer has the form of all errors.
      requireHostHeader: false,
    },
    frameworkErrors: (error, request, reply) => {
      void send(reply, tell(parts, request, answerToFault(error)));
    },
    clientErrorHandler: (error, socket) => {
      refuseUnread(parts, error, socket);
    },
  });
  const connections = trackConnections(app);
  app.server.maxConnections = limits.connections;
  app.server.on('drop', (dropped?: { readonly remoteAddress?: string }) => {
    parts.log.debug({ address: dropped?.remoteAddress }, 'connection closed: there are too many');
  });
  takeJsonOnly(app);
  let closing = false;
  guardAll(app, parts, () => closing);
  for (const { answer, bodyBytes, method, path } of routes) {
    app.route({
      method,
      url: path.replaceAll(/\{(\w+)\}/g, ':$1'),
      bodyLimit: bodyBytes,
      handler: async (request, reply) => await send(reply, await answer(callOf(request))),
    });
  }
  app.get(EVENTS_PATH, { exposeHeadRoute: false }, (_, reply) => {
    const take = events.admit();
    reply.hijack();
    // Of a stream that has ended nothing follows on the same connection.
    const head = { ...reply.getHeaders(), 'content-type': 'text/event-stream', connection: 'close' };
    reply.raw.writeHead(200, head as Record<string, string>);
    take(reply.raw);
  });
  return {
    listen: async (address, port) => {
      await app.listen({ host: address, port });
      const bound = app.server.address();
      return typeof bound === 'object' && bound !== null ? bound.port : port;
    },
    close: async () => {
      closing = true;
      events.close();
      const closed = app.close();
      connections.endIdle();
      await closed;
    },
    cut: () => {
      app.server.closeAllConnections();
    },
  };
}

/** Anything else a page could send without asking first. */
function takeJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') {
      done(null, undefined);
    } else {
      void parse(request, body as string, done);
    }
  });
}

/** What is looked at before a request is read any further, and how errors are told. */
function guardAll(app: FastifyInstance, parts: ServerParts, closing: () => boolean): void {
  const { guard, limits, open, rates, routes } = parts;
  const known = [...routes, { method: 'GET' as const, path: EVENTS_PATH }];
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(ALWAYS);
    const { rawHeaders, url: target = '' } = request.raw;
    const origin = guard.checkSource({ rawHeaders, target });
    const path = pathOf(target);
    if (origin !== undefined) {
      reply.headers({ 'access-control-allow-origin': origin, vary: 'Origin' });
      if (request.method === 'OPTIONS') {
        preflight(reply, methodsOf(path, known));
        return;
      }
    }
    if (closing()) {
      throw new Refusal('stopping', 'the process is ending', { connection: 'close' });
    }
    if (!open.includes(path)) {
      rates.take(remoteOf(request));
      guard.checkToken(rawHeaders);
    }
    done();
  });
  app.addHook('onSend', (_, reply, payload, done) => {
    // Who does not take an answer holds memory.
    reply.raw.setTimeout(limits.requestMs, () => {
      reply.raw.destroy();
    });
    if (closing()) {
      reply.header('connection', 'close');
    }
    done(null, payload);
  });
  app.setErrorHandler(async (error, request, reply) => {
    const answer = answerToError(error) ?? answerToFault(error);
    if (answer.status === 500) {
      parts.log.error({ err: error, target: request.raw.url }, 'a request failed');
    }
    return await send(reply, tell(parts, request, answer));
  });
  app.setNotFoundHandler(async (request, reply) => {
    const path = pathOf(request.raw.url ?? '');
    const allowed = methodsOf(path, known);
    const answer =
      allowed.length === 0
        ? errorAnswer('not-found', `there is no ${path}: /api/openapi.json tells what there is`)
        : errorAnswer('method-not-allowed', `${path} takes ${allowed.join(', ')}`, {
            allow: allowed.join(', '),
          });
    return await send(reply, tell(parts, request, answer));
  });
}

function preflight(reply: FastifyReply, methods: readonly string[]): void {
  void reply
    .code(204)
    .headers({
      'access-control-allow-methods': methods.join(', '),
      'access-control-allow-headers': `authorization, content-type, ${ID_HEADER}, ${USER_HEADER}`,
      'access-control-max-age': '600',
    })
    .send();
}

function tell({ log }: ServerParts, request: FastifyRequest, answer: HttpAnswer): HttpAnswer {
  const { method, url: target } = request.raw;
  log.debug({ address: remoteOf(request), method, target, status: answer.status }, 'request refused');
  return answer;
}

/** Not even the head of a request could be read, or not in time. */
function refuseUnread({ log }: ServerParts, error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) {
    return;
  }
  const answer = answerToFault(error);
  log.debug({ address: socket.remoteAddress, status: answer.status, problem: error.code }, 'request refused');
  if (socket.writable) {
    socket.write(rawAnswer(answer));
  }
  socket.destroy();
}

async function send(
  reply: FastifyReply,
  { body, headers = {}, status, text }: HttpAnswer,
): Promise<FastifyReply> {
  return await reply
    .code(status)
    .type('application/json; charset=utf-8')
    .headers(headers)
    .send(text ?? JSON.stringify(body));
}

function callOf(request: FastifyRequest): HttpCall {
  return {
    params: request.params as Readonly<Record<string, unknown>>,
    query: request.query as Readonly<Record<string, unknown>>,
    body: request.body,
    header: (name) => {
      const value = request.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
    remoteAddress: remoteOf(request),
  };
}

/** An address of IPv4 as such, also on a socket of IPv6. */
function remoteOf({ raw: { socket } }: FastifyRequest): string {
  return (socket.remoteAddress ?? 'unknown').replace(/^::ffff:(?=\d+\.)/, '');
}

function pathOf(target: string): string {
  return target.split('?', 1)[0] ?? '';
}

/** Knows which connections have a request under way. */
function trackConnections(app: FastifyInstance): { endIdle(): void } {
  const idle = new Set<Socket>();
  app.server.on('connection', (socket) => {
    idle.add(socket);
    socket.on('close', () => {
      idle.delete(socket);
    });
  });
  app.addHook('onRequest', ({ raw }, _, done) => {
    idle.delete(raw.socket);
    done();
  });
  app.addHook('onResponse', ({ raw }, _, done) => {
    if (!raw.socket.destroyed) {
      idle.add(raw.socket);
    }
    done();
  });
  return {
    endIdle: () => {
      for (const socket of idle) {
        socket.destroy();
      }
    },
  };
}
