import { randomUUID } from 'node:crypto';
import type { CommandPort } from '../../admin/request.ts';
import { adminToken } from '../../config/admin-token.ts';
import type { Configuration } from '../../config/schema.ts';
import { type Clock, systemClock } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import { packageVersion } from '../../version.ts';
import { StatusEvents } from './events.ts';
import { Guard } from './guard.ts';
import { type Limits, LIMITS, RequestRates, Slots } from './limits.ts';
import { openApiDocument } from './openapi.ts';
import type { Health } from '../../health/judge.ts';
import type { MetricsPort } from './ports.ts';
import { commandRoutes, LIVEZ, otherRoutes, READYZ } from './routes.ts';
import { createHttpServer } from './server.ts';

export interface HttpDoorOptions {
  readonly configuration: Pick<Configuration, 'admin'>;
  readonly commands: CommandPort;
  readonly health: Health;
  readonly metrics: MetricsPort;
  /** Name of this one, to which commands go that name no other. */
  readonly replica: string;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly limits?: Partial<Limits>;
}

export interface HttpDoor {
  /** As in `http://127.0.0.1:8470`. */
  readonly url: string;
  /** Ends streams and idle connections at once, and awaits the requests under way for a while. */
  close(): Promise<void>;
}

/** The door cannot be opened: the message names the key and the remedy. */
export class HttpDoorError extends Error {
  override readonly name = 'HttpDoorError';
  /** Of the system: `EADDRINUSE` where the port is taken. */
  readonly code: string;

  constructor(code: string, message: string, cause: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/**
 * Opens the HTTP door at `admin.address` and `admin.port`.
 * @throws HttpDoorError, or ConfigurationError where the token cannot be had
 */
export async function startHttpDoor(options: HttpDoorOptions): Promise<HttpDoor> {
  const { admin } = options.configuration;
  const { clock = systemClock, commands, health, metrics, replica } = options;
  const limits: Limits = { ...LIMITS, connections: admin.maxConnections, ...options.limits };
  const log = options.log.child({ door: 'http' });
  const guard = new Guard({ ...admin, token: adminToken(admin) });
  const slots = new Slots(limits.commands, 'commands under way');
  const document = openApiDocument({ version: packageVersion(), needsToken: guard.needsToken });
  const events = new StatusEvents({
    clock,
    limits,
    sample: () => commands.look(),
    dropped: () => {
      log.debug({}, 'a reader of events was dropped: it does not take what is sent');
    },
  });
  const server = createHttpServer({
    routes: [
      ...commandRoutes({ commands, clock, replica, limits, slots, newId: randomUUID }),
      ...otherRoutes(health, metrics, document),
    ],
    open: [LIVEZ, READYZ],
    guard,
    rates: new RequestRates(limits, clock),
    events,
    limits,
    log,
  });
  const port = await listen(server.listen(admin.address, admin.port), admin);
  const host = admin.address.includes(':') ? `[${admin.address}]` : admin.address;
  return {
    url: `http://${host}:${String(port)}`,
    close: async () => {
      const cancel = clock.after(limits.closeMs, () => {
        server.cut();
      });
      await server.close();
      cancel();
    },
  };
}

async function listen(listening: Promise<number>, admin: Configuration['admin']): Promise<number> {
  try {
    return await listening;
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const at = `admin.address ${admin.address}, admin.port ${String(admin.port)}`;
    throw new HttpDoorError(code, `no HTTP at ${at}: ${REASONS[code] ?? message}`, error);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE:
    'the port is taken; choose another with --admin-port N, 0 for any that is free, or turn it off with admin.enabled: false',
  EADDRNOTAVAIL: 'this machine has no such address; choose one of its own with --admin-address IP',
  EACCES: 'this user may not listen there; choose a port above 1023 with --admin-port N',
};
