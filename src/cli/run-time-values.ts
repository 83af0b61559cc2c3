import { existsSync } from 'node:fs';
import { readRunTimeSettings } from '../actors/settings/run-time-settings.ts';
import { topicNames } from '../actors/topics.ts';
import { BrokerError } from '../broker/errors.ts';
import type { ConfigurationEntry } from '../config/load.ts';
import { RUN_TIME_KEYS, withRunTimeValues } from '../config/run-time.ts';
import type { Configuration } from '../config/schema.ts';
import { valueAt } from '../config/tree.ts';
import { openBroker } from '../open-broker.ts';
import { openState } from '../open-state.ts';
import { silentLogger } from '../system/logger.ts';
import { systemClock } from '../system/clock.ts';
import { clientOf, type DoorFlags, namedUrl } from './admin/door.ts';
import { isHolder } from './either-way.ts';
import type { Output } from './usage.ts';

const SOURCE = 'set while it runs';

/**
 * The entries with what was set while it runs, as far as that can be seen at once: from the process that was named
 * or is at the configured address, else from a state on this machine that nobody has open. A Kafka is not asked,
 * which may be away.
 */
export async function withRunTimeEntries(
  configuration: Configuration,
  entries: readonly ConfigurationEntry[],
  flags: DoorFlags,
  output: Output,
): Promise<readonly ConfigurationEntry[]> {
  let values: ReadonlyMap<string, unknown>;
  try {
    values = (await valuesOfProcess(configuration, flags)) ?? (await valuesOfState(configuration));
  } catch (error) {
    const expected =
      error instanceof BrokerError || (error instanceof Error && error.name === 'AdminClientError');
    if (!expected) {
      throw error;
    }
    output.err(`geoflock: what was set while it runs is not shown: ${error.message}\n`);
    return entries;
  }
  const effective = withRunTimeValues(configuration, values);
  return entries.map((entry) => {
    const written = values.get(entry.key);
    return written === undefined
      ? entry
      : { ...entry, written, value: valueAt(effective, entry.key.split('.')), source: SOURCE };
  });
}

async function valuesOfProcess(
  configuration: Configuration,
  flags: DoorFlags,
): Promise<ReadonlyMap<string, unknown> | undefined> {
  if (namedUrl(flags) === undefined && !configuration.admin.enabled) {
    return undefined;
  }
  const client = await clientOf(configuration, flags);
  if (namedUrl(flags) === undefined && !(await client.isThere())) {
    return undefined;
  }
  const { settings, stateFolder } = await client.ask('status');
  return namedUrl(flags) !== undefined || isHolder(configuration, stateFolder)
    ? new Map(Object.entries(settings))
    : undefined;
}

async function valuesOfState(configuration: Configuration): Promise<ReadonlyMap<string, unknown>> {
  const { broker: brokers, state, topics } = configuration;
  if (brokers.kind !== 'embedded' || !existsSync(state.directory)) {
    return new Map();
  }
  const ports = { clock: systemClock, random: Math.random, log: silentLogger, open: openBroker };
  const broker = await openState(configuration, { ...ports, missing: 'refuse' });
  try {
    const { values } = await readRunTimeSettings(broker, topicNames(topics).settings);
    const known = [...values].filter(([key]) => Object.hasOwn(RUN_TIME_KEYS, key));
    return new Map(known.map(([key, { value }]) => [key, value]));
  } finally {
    await broker.close();
  }
}
