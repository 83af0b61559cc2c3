import net from 'node:net';
import type { Outcome } from '../../../src/admin/outcome.ts';
import type { CommandRequest } from '../../../src/admin/request.ts';
import { loadConfiguration } from '../../../src/config/load.ts';
import type { Limits } from '../../../src/doors/http/limits.ts';
import type { HealthAnswer } from '../../../src/health/judge.ts';
import { type HttpDoor, startHttpDoor } from '../../../src/doors/http/start.ts';
import type { Logger } from '../../../src/system/logger.ts';
import { within } from '../../support/within.ts';

/** Far above what any answer takes, on a busy machine too. */
export const ANSWERS_MS = 20_000;
export const TOKEN = '0123456789abcdef0123';

export interface TestDoorOptions {
  /** Keys of `admin`, as text. */
  readonly admin?: Readonly<Record<string, string>>;
  readonly limits?: Partial<Limits>;
  /** Default: done, with an empty object. */
  readonly answer?: (request: CommandRequest) => Outcome | Promise<Outcome>;
}

/** A door that listens, in front of a port that keeps what it is given. */
export interface TestDoor extends HttpDoor {
  readonly port: number;
  readonly requests: CommandRequest[];
  /** How often status was looked at. */
  readonly looks: { readonly count: number };
  readonly health: Record<'livez' | 'readyz' | 'healthz', HealthAnswer>;
  /** What is logged at debug. */
  readonly told: { readonly fields: Readonly<Record<string, unknown>>; readonly message: string }[];
}

export async function openDoor({ admin = {}, answer, limits = {} }: TestDoorOptions = {}): Promise<TestDoor> {
  const flags = Object.entries({ port: '0', ...admin }).map(([key, value]) => ({
    flag: key,
    key: `admin.${key}`,
    value,
  }));
  const { configuration } = loadConfiguration({ environment: {}, flags });
  const requests: CommandRequest[] = [];
  const looks = { count: 0 };
  const told: TestDoor['told'] = [];
  const well: HealthAnswer = { status: 'ok', reasons: [] };
  const health = { livez: well, readyz: well, healthz: well };
  const log: Logger = {
    debug: (fields, message) => {
      told.push({ fields: { ...fields }, message });
    },
    info: () => undefined,
    warn: () => undefined,
    error: () => undefined,
    child: () => log,
  };
  const door = await startHttpDoor({
    configuration,
    commands: {
      submit: async (request) => {
        requests.push(request);
        return (await answer?.(request)) ?? { status: 'done', result: {} };
      },
      look: async () => {
        looks.count++;
        const envelope = {
          id: 'look',
          target: 'any',
          expiresAt: Date.now(),
          by: 'look',
          door: 'http',
        } as const;
        const outcome = await answer?.({ ...envelope, command: { name: 'status', parameters: {} } });
        return outcome ?? { status: 'done', result: {} };
      },
    },
    health: {
      livez: () => health.livez,
      readyz: () => health.readyz,
      healthz: () => health.healthz,
    },
    metrics: {
      metrics: () => Promise.resolve({ contentType: 'text/plain; version=0.0.4', text: 'rows 1\n' }),
    },
    replica: 'replica-1',
    log,
    limits: { burst: 1_000_000, requestsPerSecond: 1_000_000, ...limits },
  });
  return { ...door, port: Number(new URL(door.url).port), requests, looks, health, told };
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** Asks as programs do. */
export async function ask(door: HttpDoor, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await within(ANSWERS_MS, `the answer to ${path}`, fetch(`${door.url}${path}`, init));
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true;
  return {
    status: response.status,
    headers: response.headers,
    body: isJson && text !== '' ? JSON.parse(text) : text,
  };
}

export function json(body: unknown, method = 'POST'): RequestInit {
  return { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** Sends bytes as they are, and resolves to all that comes until the other side closes. */
export async function sendRaw(port: number, bytes: string | Uint8Array): Promise<string> {
  const socket = net.connect(port, '127.0.0.1');
  return await within(ANSWERS_MS, 'the end of a connection', receiveAll(socket, bytes));
}

function receiveAll(socket: net.Socket, bytes: string | Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    let received = '';
    socket.setEncoding('utf8').on('data', (text: string) => {
      received += text;
    });
    // A reset tells the same as an end: it is closed.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      resolve(received);
    });
    socket.write(bytes);
  });
}

/** A connection that is open. */
export async function connect(port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await within(
    ANSWERS_MS,
    'a connection',
    new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('close', () => {
        reject(new Error('it was closed'));
      });
    }),
  );
  return socket;
}

export async function closed(socket: net.Socket): Promise<void> {
  socket.resume();
  if (!socket.closed) {
    await within(
      ANSWERS_MS,
      'the end of a connection',
      new Promise<void>((resolve) => {
        socket.once('close', () => {
          resolve();
        });
      }),
    );
  }
}
