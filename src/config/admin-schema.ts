import { isIP } from 'node:net';
import { z } from 'zod';
import { count, fileOrNone, flag, parsed, secretOrNone } from './fields.ts';

/** Shorter ones can be tried out. */
const LEAST_TOKEN_LENGTH = 16;
/** What can stand in a header as it is. */
const TOKEN = /^[\x21-\x7e]+$/;

/** The HTTP door: `admin`. */
export const adminSchema = z.strictObject({
  enabled: flag(),
  address: parsed('an IP address such as 127.0.0.1, ::1 or 0.0.0.0', asAddress),
  port: count({ min: 0, max: 65_535 }),
  token: secretOrNone(),
  tokenFile: fileOrNone(),
  hosts: listOf('names of hosts, such as [geoflock.example.com], without ports', asHostName),
  origins: listOf('origins, such as [https://dashboard.example.com]', asOrigin),
  maxConnections: count({ min: 1, max: 65_535 }),
});

type AdminSettings = Readonly<Omit<z.output<typeof adminSchema>, 'hosts' | 'origins'>>;

/** Whether only programs on the same machine reach it. */
export function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

/** What is wrong with a token; undefined: nothing. */
export function tokenProblem(token: string): string | undefined {
  if (token.length < LEAST_TOKEN_LENGTH) {
    return `expected at least ${String(LEAST_TOKEN_LENGTH)} characters, for example of \`openssl rand -hex 32\``;
  }
  return TOKEN.test(token) ? undefined : 'expected ASCII characters without blanks';
}

/** What must hold between the keys of `admin`: the key to name and what it should have been. */
export function* adminChecks(admin: AdminSettings): Generator<readonly [string, string]> {
  const { address, enabled, token, tokenFile } = admin;
  if (token !== null && tokenFile !== null) {
    yield ['admin.tokenFile', 'expected nothing, because admin.token is set: one of them'];
  }
  const problem = token === null ? undefined : tokenProblem(token);
  if (problem !== undefined) {
    yield ['admin.token', problem];
  }
  if (enabled && !isLoopback(address) && token === null && tokenFile === null) {
    yield [
      'admin.token',
      `expected a token, because admin.address (${address}) can be reached from other machines: set ` +
        'GEOFLOCK_ADMIN_TOKEN or admin.tokenFile, or leave admin.address at 127.0.0.1',
    ];
  }
}

function asAddress(value: unknown): string | undefined {
  if (value === 'localhost') {
    return '127.0.0.1';
  }
  return typeof value === 'string' && isIP(value) !== 0 ? value : undefined;
}

/** A list, or text with commas; nothing is an empty one. */
function listOf(expects: string, read: (value: string) => string | undefined): z.ZodType<readonly string[]> {
  return parsed<readonly string[]>(`${expects}, as a list or separated by commas`, (value) => {
    const written: unknown = typeof value === 'string' ? value.split(',') : (value ?? []);
    if (!Array.isArray(written)) {
      return undefined;
    }
    const found = written
      .map((one: unknown) => (typeof one === 'string' ? one.trim() : undefined))
      .filter((one) => one !== '')
      .map((one) => (one === undefined ? undefined : read(one)));
    return found.every((one) => one !== undefined) ? found : undefined;
  });
}

function asHostName(value: string): string | undefined {
  return /^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$/.test(value) ? value.toLowerCase() : undefined;
}

function asOrigin(value: string): string | undefined {
  if (!/^https?:\/\//.test(value) || !URL.canParse(value)) {
    return undefined;
  }
  const { origin } = new URL(value);
  return origin === value.toLowerCase() ? origin : undefined;
}
