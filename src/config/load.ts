import { fileURLToPath } from 'node:url';
import path from 'node:path';
import type { z } from 'zod';
import { ConfigurationError } from './errors.ts';
import { HIDDEN, type KnownKeys, knownKeys, nearestKey } from './keys.ts';
import { type Configuration, configurationSchema } from './schema.ts';
import {
  type ConfigurationSource,
  type Environment,
  type FlagValue,
  flagSources,
  readSources,
} from './sources.ts';
import { branch, isTree, layer, type Tree, valueAt } from './tree.ts';

export interface LoadOptions {
  /** The user's configuration folder (`--config`). */
  readonly directory?: string | undefined;
  readonly flags?: readonly FlagValue[];
  /** What a command has as its own defaults: whatever the user says wins over it. */
  readonly commandDefaults?: readonly FlagValue[];
  /** Default: the process's environment. */
  readonly environment?: Environment;
}

/** One effective value and where it came from. */
export interface ConfigurationEntry {
  readonly key: string;
  /** As it was written; `(hidden)` for a secret. */
  readonly written: unknown;
  /** As it is used: milliseconds, bytes, absolute paths; `(hidden)` for a secret. */
  readonly value: unknown;
  readonly source: string;
}

export interface LoadedConfiguration {
  readonly configuration: Configuration;
  readonly entries: readonly ConfigurationEntry[];
}

/** `config/` stands beside both `src/` and `dist/`. */
const PACKAGE_DIRECTORY = fileURLToPath(new URL('../../config', import.meta.url));

/**
 * The effective configuration: defaults, the user's files, environment variables, flags.
 *
 * @throws ConfigurationError that names every wrong key, its value and what was expected.
 */
export function loadConfiguration(options: LoadOptions = {}): LoadedConfiguration {
  const [defaults, ...given] = [
    ...readSources({
      packageDirectory: PACKAGE_DIRECTORY,
      userDirectory: options.directory === undefined ? undefined : path.resolve(options.directory),
      environment: options.environment ?? process.env,
    }),
    ...flagSources(options.flags ?? []),
  ];
  const own = flagSources(options.commandDefaults ?? []);
  const sources = [...(defaults === undefined ? [] : [defaults]), ...own, ...brokerKindOf(given), ...given];
  const { value, entries } = resolve(configurationSchema, sources);
  return { configuration: value, entries };
}

/** Naming brokers means Kafka, below whoever says otherwise. The defaults are not among `given`. */
function brokerKindOf(given: readonly ConfigurationSource[]): ConfigurationSource[] {
  const brokers = ['broker', 'kafka', 'brokers'];
  const naming = given.findLast(({ values }) => valueAt(values, brokers) !== undefined);
  const named = valueAt(naming?.values, brokers);
  if (naming === undefined || (Array.isArray(named) && named.length === 0)) {
    return [];
  }
  const describe = (): string => `broker.kafka.brokers (${naming.describe(brokers)})`;
  return [{ values: branch(['broker', 'kind'], 'kafka'), describe }];
}

/** Validates what `sources` say together; the last source that has a key decides it. */
export function resolve<S extends z.ZodObject>(
  schema: S,
  sources: readonly ConfigurationSource[],
): { readonly value: z.output<S>; readonly entries: readonly ConfigurationEntry[] } {
  const known = knownKeys(schema);
  const merged = sources.reduce<Tree>((lower, source) => layer(lower, source.values), {});
  const sourceOf = (at: readonly PropertyKey[]): string | undefined =>
    sources.findLast(({ values }) => valueAt(values, at) !== undefined)?.describe(at);
  const result = schema.safeParse(merged);
  if (!result.success) {
    throw new ConfigurationError(
      result.error.issues.flatMap((issue) => describeIssue(issue, merged, known, sourceOf)),
    );
  }
  return { value: freeze(result.data), entries: entriesOf(result.data, merged, known, sourceOf) };
}

type SourceOf = (at: readonly PropertyKey[]) => string | undefined;

function describeIssue(
  issue: z.core.$ZodIssue,
  merged: Tree,
  known: KnownKeys,
  sourceOf: SourceOf,
): readonly string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((name) => {
      const at = [...issue.path, name];
      const key = at.map(String).join('.');
      const meant = nearestKey(key, known.all);
      return `${key} (${sourceOf(at) ?? 'unknown source'}): unknown key${meant === undefined ? '' : `; did you mean ${meant}?`}`;
    });
  }
  const key = issue.path.map(String).join('.');
  const facts = known.leaves.get(key);
  const value = valueAt(merged, issue.path);
  const expected =
    issue.code === 'custom' ? issue.message : `expected ${facts?.expects ?? 'a group of keys'}`;
  if (value === undefined) {
    return [`${key}: missing, ${expected}`];
  }
  const hidden = [...known.leaves].some(
    ([leaf, { secret }]) => secret === true && (leaf === key || leaf.startsWith(`${key}.`)),
  );
  const shown = hidden ? HIDDEN : JSON.stringify(value);
  return [`${key}: ${shown} (${sourceOf(issue.path) ?? 'unknown source'}): ${expected}`];
}

function entriesOf(data: unknown, merged: Tree, known: KnownKeys, sourceOf: SourceOf): ConfigurationEntry[] {
  const entries: ConfigurationEntry[] = [];
  for (const [key, facts] of known.leaves) {
    const at = key.split('.');
    const written = valueAt(merged, at);
    if (written === undefined) {
      continue;
    }
    const used = valueAt(data, at);
    const hidden = facts.secret === true && used !== null;
    entries.push({
      key,
      written: hidden ? HIDDEN : written,
      value: hidden ? HIDDEN : used instanceof RegExp ? used.source : used,
      source: sourceOf(at) ?? 'unknown source',
    });
  }
  return entries;
}

function freeze<T>(value: T): T {
  if (isTree(value) && !(value instanceof RegExp)) {
    Object.values(value).forEach(freeze);
    Object.freeze(value);
  } else if (Array.isArray(value)) {
    Object.freeze(value);
  }
  return value;
}
