import type { Command } from 'commander';
import type { Configuration } from '../../config/schema.ts';
import { addStateFlags } from '../settings.ts';
import { durationArgument, EXIT_FAILURE, type Output, UsageError } from '../usage.ts';
import type { AdminClient } from './client.ts';

/** How a running Geoflock is reached. */
export interface DoorFlags {
  readonly url?: string;
  readonly tokenFile?: string;
  readonly target?: string;
  /** Milliseconds. */
  readonly timeout?: number;
}

const DEFAULT_TIMEOUT_MS = 60_000;

export function addDoorFlags(command: Command): Command {
  return command
    .option('--url <url>', 'a running Geoflock to ask (default: GEOFLOCK_ADMIN_URL)')
    .option('--token-file <file>', 'file that holds its token (default: GEOFLOCK_ADMIN_TOKEN)')
    .option('--timeout <duration>', 'how long to wait for its answer (default: 1m)', durationArgument);
}

/** The flags of a command that opens the state, or asks the process that has it. */
export function addEitherFlags(command: Command): Command {
  return addDoorFlags(addStateFlags(command));
}

/** The address that was named, by flag or environment. */
export function namedUrl({ url }: DoorFlags): string | undefined {
  const named = url ?? process.env['GEOFLOCK_ADMIN_URL'];
  return named === '' ? undefined : named;
}

/**
 * The client of the address that was named, else of the configured one.
 * @throws UsageError, ConfigurationError
 */
export async function clientOf(
  { admin }: Pick<Configuration, 'admin'>,
  flags: DoorFlags,
  defaultTimeoutMs = DEFAULT_TIMEOUT_MS,
): Promise<AdminClient> {
  const url = namedUrl(flags) ?? configuredUrl(admin);
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) {
    throw new UsageError(`--url ${url}: expected an address such as http://127.0.0.1:8470`);
  }
  const [{ AdminClient: Client }, { adminToken, tokenOfFile }] = await Promise.all([
    import('./client.ts'),
    import('../../config/admin-token.ts'),
  ]);
  return new Client({
    url,
    token: flags.tokenFile === undefined ? adminToken(admin) : tokenOfFile(flags.tokenFile, '--token-file'),
    target: flags.target,
    timeoutMs: flags.timeout ?? defaultTimeoutMs,
  });
}

/** What is listened to on all addresses is reached on the one of this machine. */
function configuredUrl({ address, port }: Configuration['admin']): string {
  const host = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
  return `http://${host.includes(':') ? `[${host}]` : host}:${String(port)}`;
}

/** Does `work`; what the other side refuses, or that there is none, is told in one line. @returns exit code */
export async function tellingRefusals<T>(output: Output, work: () => Promise<T>): Promise<T | number> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && error.name === 'AdminClientError') {
      output.err(`geoflock: ${error.message}\n`);
      return EXIT_FAILURE;
    }
    throw error;
  }
}
