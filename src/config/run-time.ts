import type { z } from 'zod';
import { ConfigurationError } from './errors.ts';
import { type Configuration, configurationSchema, crossChecks } from './schema.ts';
import { branch, layer, type Tree, valueAt } from './tree.ts';

/** A key that may be set while it runs, for all replicas. */
export interface RunTimeKey {
  /** What it is called for short, where it is. */
  readonly alias?: string;
  readonly takesEffect: string;
}

const NEXT_MODEL = 'with the next model of the replica that publishes them; no row is read again';
const AT_ONCE = 'at once, in each replica';

/**
 * What may be set while it runs: what does not change how the rows that are counted are kept. Everything else
 * is in the configuration for good reason: the level and the algorithm of the regions change with a rewind only.
 */
export const RUN_TIME_KEYS: Readonly<Record<string, RunTimeKey>> = {
  'clustering.k': { alias: 'k', takesEffect: NEXT_MODEL },
  'clustering.halfLife': { alias: 'half-life', takesEffect: NEXT_MODEL },
  'clustering.window': { alias: 'window', takesEffect: NEXT_MODEL },
  'regions.lateness': {
    alias: 'lateness',
    takesEffect: 'in each partition from its next checkpoint on, which says from which offset',
  },
  'log.level': { alias: 'log-level', takesEffect: AT_ONCE },
  'connections.files.rows': { takesEffect: AT_ONCE },
  'connections.files.bytes': { takesEffect: AT_ONCE },
  'connections.rows.rows': { takesEffect: AT_ONCE },
  'connections.rows.bytes': { takesEffect: AT_ONCE },
  'connections.log.bytes': { takesEffect: AT_ONCE },
};

/** The key that `name` means, in full or for short; undefined where none may be set. */
export function runTimeKey(name: string): string | undefined {
  return Object.hasOwn(RUN_TIME_KEYS, name)
    ? name
    : Object.entries(RUN_TIME_KEYS).find(([, { alias }]) => alias === name)?.[0];
}

/**
 * The configuration with other values for some of `RUN_TIME_KEYS`, each as it is written in a file.
 * @throws ConfigurationError naming the key, the value and what was expected, also between keys.
 */
export function withRunTimeValues(
  configuration: Configuration,
  values: ReadonlyMap<string, unknown>,
): Configuration {
  let all = configuration as unknown as Tree;
  for (const [key, value] of values) {
    const at = key.split('.');
    const parsed = leafAt(at).safeParse(value);
    if (!parsed.success) {
      const expected = parsed.error.issues.map(({ message }) => message).join('; ');
      throw new ConfigurationError([`${key}: ${JSON.stringify(value)}: ${expected}`]);
    }
    all = layer(all, branch(at, parsed.data));
  }
  const whole = all as unknown as Configuration;
  const problems = [...crossChecks(whole)].map(
    ([key, expected]) => `${key}: ${JSON.stringify(valueAt(whole, key.split('.')))}: ${expected}`,
  );
  if (problems.length > 0) {
    throw new ConfigurationError(problems);
  }
  return whole;
}

function leafAt(at: readonly string[]): z.ZodType {
  return at.reduce<z.ZodType>(
    (schema, key) => (schema as z.ZodObject<Record<string, z.ZodType>>).shape[key] as z.ZodType,
    configurationSchema,
  );
}
