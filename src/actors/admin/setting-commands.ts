import type { ResultOf } from '../../admin/commands.ts';
import { CommandError } from '../../admin/outcome.ts';
import type { Transaction } from '../../broker/broker.ts';
import { ConfigurationError } from '../../config/errors.ts';
import { RUN_TIME_KEYS, runTimeKey } from '../../config/run-time.ts';
import type { Configuration } from '../../config/schema.ts';
import { valueAt } from '../../config/tree.ts';
import { formatDuration, formatSize } from '../../config/units.ts';
import { putValue, readRunTimeSettings, type SetValue } from '../settings/run-time-settings.ts';
import type { CommandPorts, Handler, SharedHandler } from './command-ports.ts';

type Setting = ResultOf<'set'>;

export function settingCommands(ports: CommandPorts): {
  readonly 'settings.list': Handler<'settings.list'>;
} {
  return {
    'settings.list': () => {
      const { configuration, set } = ports.settings;
      return {
        settings: Object.keys(RUN_TIME_KEYS).map((key) => told(key, configuration, set.values.has(key))),
      };
    },
  };
}

/** Sets a value for all replicas. */
export function setValue(ports: CommandPorts): SharedHandler<'set'> {
  return ({ key, value }, call, transaction) =>
    change(ports, key, { value, at: call.context.clock.now(), by: call.request.by }, transaction);
}

/** Goes back to what the configuration says. */
export function unsetValue(ports: CommandPorts): SharedHandler<'unset'> {
  return ({ key }, _call, transaction) => change(ports, key, null, transaction);
}

/** Judged as a whole by the configuration of the replica that carries it out, before it is committed. */
async function change(
  { broker, settings, topics }: CommandPorts,
  name: string,
  set: SetValue | null,
  transaction: Transaction,
): Promise<{ readonly result: Setting }> {
  const key = knownKey(name);
  const { values } = await readRunTimeSettings(broker, topics.settings);
  const wanted = new Map([...values].map(([each, { value }]) => [each, value]));
  if (set === null) {
    wanted.delete(key);
  } else {
    wanted.set(key, set.value);
  }
  const configuration = judged(() => settings.judge(wanted));
  putValue(transaction, topics.settings, key, set);
  return { result: told(key, configuration, set !== null) };
}

function knownKey(name: string): string {
  const key = runTimeKey(name);
  if (key === undefined) {
    const names = Object.entries(RUN_TIME_KEYS).map(([each, { alias }]) => alias ?? each);
    throw new CommandError(
      'invalid',
      `${name} cannot be set while it runs; what can: ${names.join(', ')}. All else is in the configuration`,
    );
  }
  return key;
}

function judged(judge: () => Configuration): Configuration {
  try {
    return judge();
  } catch (error) {
    if (error instanceof ConfigurationError) {
      throw new CommandError('invalid', error.problems.join('; '));
    }
    throw error;
  }
}

function told(key: string, configuration: Configuration, set: boolean): Setting {
  return {
    key,
    value: asWritten(key, valueAt(configuration, key.split('.'))),
    source: set ? 'run time' : 'configuration',
    takesEffect: RUN_TIME_KEYS[key]?.takesEffect ?? '',
  };
}

const DURATIONS: readonly string[] = ['clustering.halfLife', 'clustering.window', 'regions.lateness'];

function asWritten(key: string, value: unknown): string {
  if (value === null) {
    return 'off';
  }
  if (typeof value !== 'number') {
    return typeof value === 'string' ? value : JSON.stringify(value);
  }
  return DURATIONS.includes(key)
    ? formatDuration(value)
    : key.endsWith('.bytes')
      ? formatSize(value)
      : String(value);
}
