import type { ResultOf } from '../../admin/commands.ts';
import { CommandError } from '../../admin/outcome.ts';
import { ConfigurationError } from '../../config/errors.ts';
import { RUN_TIME_KEYS, runTimeKey } from '../../config/run-time.ts';
import type { Configuration } from '../../config/schema.ts';
import { valueAt } from '../../config/tree.ts';
import { formatDuration, formatSize } from '../../config/units.ts';
import { putValue, readRunTimeSettings } from '../settings/run-time-settings.ts';
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

/** Judged as a whole by the configuration of the replica that carries it out, before it is committed. */
export function setValue(ports: CommandPorts): SharedHandler<'set'> {
  return async ({ key: name, value }, call, transaction) => {
    const key = knownKey(name);
    const { broker, settings, topics } = ports;
    const { values } = await readRunTimeSettings(broker, topics.settings);
    const wanted = new Map<string, unknown>([...values].map(([each, set]) => [each, set.value]));
    const configuration = judged(() => settings.judge(wanted.set(key, value)));
    putValue(transaction, topics.settings, key, { value, at: call.context.clock.now(), by: call.request.by });
    return { result: told(key, configuration, true) };
  };
}

export function unsetValue(ports: CommandPorts): SharedHandler<'unset'> {
  return async ({ key: name }, _call, transaction) => {
    const key = knownKey(name);
    const { broker, settings, topics } = ports;
    const { values } = await readRunTimeSettings(broker, topics.settings);
    const wanted = new Map([...values].map(([each, set]) => [each, set.value]));
    wanted.delete(key);
    const configuration = judged(() => settings.judge(wanted));
    putValue(transaction, topics.settings, key, null);
    return { result: told(key, configuration, false) };
  };
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
