import fs from 'node:fs';
import type { Command } from 'commander';
import type { LoadedConfiguration } from '../config/load.ts';
import type { FlagValue } from '../config/sources.ts';
import { UsageError } from './usage.ts';

/** The flags that stand for configuration keys, shared by the commands that read the configuration. */
export interface SettingFlags {
  readonly input?: string;
  readonly state?: string;
  readonly report?: string;
  readonly config?: string;
  readonly settleTimeout?: string;
  readonly logLevel?: string;
  readonly brokers?: string;
  readonly waitForBroker?: string;
  readonly adminAddress?: string;
  readonly adminPort?: string;
}

const KEYS = [
  ['input', '--input', 'input.directory'],
  ['state', '--state', 'state.directory'],
  ['report', '--report', 'report.directory'],
  ['settleTimeout', '--settle-timeout', 'input.settleTimeout'],
  ['logLevel', '--log-level', 'log.level'],
  ['brokers', '--brokers', 'broker.kafka.brokers'],
  ['waitForBroker', '--wait-for-broker', 'broker.wait'],
  ['adminAddress', '--admin-address', 'admin.address'],
  ['adminPort', '--admin-port', 'admin.port'],
] as const;

export function addSettingFlags(command: Command): Command {
  return command
    .option('--input <dir>', 'folder with the CSV files (default: ./data/input)')
    .option('--state <dir>', 'folder of the log, the tables and the progress (default: ./data/state)')
    .option('--report <dir>', 'folder for the results (default: ./data/report)')
    .option('--config <dir>', 'folder with configuration files of your own')
    .option(
      '--settle-timeout <duration>',
      'how long a file may go on changing before it counts as failed (default: 60s)',
    )
    .option(
      '--brokers <host:port,...>',
      'a Kafka to use in place of the embedded broker (default: GEOFLOCK_KAFKA_BROKERS)',
    )
    .option(
      '--wait-for-broker <duration>',
      'how long to wait at the start for a Kafka that cannot be reached (default: 60s)',
    )
    .option('--admin-address <ip>', 'where commands are taken over HTTP (default: 127.0.0.1)')
    .option('--admin-port <n>', 'its port; 0 takes any that is free (default: 8470)')
    .option('--log-level <level>', 'debug, info, warn, error or silent (default: info)');
}

/** The same for commands that only open the state. */
export function addStateFlags(command: Command): Command {
  return command
    .option('--state <dir>', 'folder of the log, the tables and the progress (default: ./data/state)')
    .option('--config <dir>', 'folder with configuration files of your own')
    .option(
      '--brokers <host:port,...>',
      'a Kafka to use in place of the embedded broker (default: GEOFLOCK_KAFKA_BROKERS)',
    )
    .option(
      '--wait-for-broker <duration>',
      'how long to wait for a Kafka that cannot be reached (default: 60s)',
    )
    .option('--log-level <level>', 'debug, info, warn, error or silent (default: warn)');
}

/** @throws ConfigurationError */
export async function loadSettings(
  flags: SettingFlags,
  commandDefaults: readonly FlagValue[] = [],
): Promise<LoadedConfiguration> {
  const { loadConfiguration } = await import('../config/load.ts');
  const given = KEYS.flatMap(([name, flag, key]): FlagValue[] => {
    const value = flags[name];
    return value === undefined ? [] : [{ flag, key, value }];
  });
  if (flags.brokers !== undefined) {
    // Who names brokers here means them, whatever the files say.
    given.push({ flag: '--brokers', key: 'broker.kind', value: 'kafka' });
  }
  return loadConfiguration({ directory: flags.config, flags: given, commandDefaults });
}

/** @throws UsageError when there is no such folder. */
export function requireInputFolder(directory: string): void {
  let found: fs.Stats | undefined;
  try {
    found = fs.statSync(directory, { throwIfNoEntry: false });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`no input folder: ${reason} (choose one with --input DIR)`);
  }
  if (found?.isDirectory() !== true) {
    throw new UsageError(
      `no input folder: ${directory} ${found === undefined ? 'does not exist' : 'is not a folder'} (choose one with --input DIR)`,
    );
  }
}
