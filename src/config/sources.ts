import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Load, Util } from 'config/lib/util.js';
import defaultParser from 'config/parser.js';
import { load as parseYaml } from 'js-yaml';
import { ConfigurationError } from './errors.ts';
import { branch, isTree, layer, leaves, type Tree, valueAt } from './tree.ts';

/** One place that values come from; a later source wins over an earlier one. */
export interface ConfigurationSource {
  readonly values: Tree;
  /** Where the value of this key came from, for a human. */
  describe(at: readonly PropertyKey[]): string;
}

export interface SourceOptions {
  /** The package's own configuration folder. */
  readonly packageDirectory: string;
  /** The user's folder, absolute. */
  readonly userDirectory?: string | undefined;
  readonly environment: Environment;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** The package's type declarations take the module for what it exports by default. */
const { json5Parser } = defaultParser as unknown as {
  readonly json5Parser: (filename: string, content: string) => unknown;
};

const FILE_TYPES = ['json', 'json5', 'jsonc', 'yaml', 'yml'];

/**
 * node-config looks for its YAML library from the working directory, where a user has none, so it
 * gets a parser that does not look around.
 */
const parser = {
  parse: (filename: string, content: string) => parseText(path.extname(filename).slice(1), filename, content),
  getFilesOrder: () => FILE_TYPES,
} as unknown as NonNullable<Load['options']['parser']>;

function parseText(type: string, filename: string, content: string): object | undefined {
  const value: unknown = /^ya?ml$/.test(type) ? yaml(content) : json5Parser(filename, content);
  if (value !== undefined && value !== null && !isTree(value)) {
    throw new Error('expected groups of keys, such as "log:" with "level: info" below');
  }
  return value ?? undefined;
}

function yaml(content: string): unknown {
  try {
    return parseYaml(content);
  } catch (error) {
    // Its message goes on with the lines around, which may hold a password; so may what it quotes.
    const [reason = ''] = messageOf(error).split('\n');
    throw new Error(reason.replaceAll(/"[^"]*"/g, '"..."'), { cause: error });
  }
}

/**
 * The files of both folders in node-config's order (default, deployment, host, local; within each
 * the package's before the user's), then the environment variables. Ignores NODE_CONFIG,
 * NODE_CONFIG_DIR and a `config` folder in the working directory, which may be another program's.
 *
 * @throws ConfigurationError when a folder or file cannot be read or parsed.
 */
export function readSources(options: SourceOptions): ConfigurationSource[] {
  const directories = [options.packageDirectory];
  if (options.userDirectory !== undefined) {
    checkDirectory(options.userDirectory);
    directories.push(options.userDirectory);
  }
  const { environment } = options;
  const load = new Load({
    configDir: [...new Set(directories)].join(path.delimiter),
    nodeEnv: (environment['NODE_CONFIG_ENV'] ?? environment['NODE_ENV'] ?? 'development').split(','),
    hostName: environment['HOST'] ?? environment['HOSTNAME'] ?? os.hostname(),
    appInstance: environment['NODE_APP_INSTANCE'],
    parser,
  });
  try {
    Util.loadFileConfigs(load);
    const files = load.getSources().map((source) => fileSource(source.name, source.parsed));
    return [...files, ...environmentSources(load, environment)];
  } catch (error) {
    throw new ConfigurationError([messageOf(error)]);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function checkDirectory(directory: string): void {
  let problem: string | undefined;
  try {
    fs.readdirSync(directory);
    if (directory.includes(path.delimiter)) {
      problem = `a folder whose path has no "${path.delimiter}"`;
    }
  } catch (error) {
    problem = `a readable folder (${messageOf(error)})`;
  }
  if (problem !== undefined) {
    throw new ConfigurationError([`--config "${directory}": expected ${problem}`]);
  }
}

function fileSource(file: string, parsed: unknown): ConfigurationSource {
  return { values: isTree(parsed) ? parsed : {}, describe: () => file };
}

/**
 * The environment variables that the mapping files name: `key: VARIABLE`, or
 * `key: { __name: VARIABLE, __format: json }` for a whole group in one variable.
 */
function environmentSources(load: Load, environment: Environment): ConfigurationSource[] {
  let mapping: Tree = {};
  const allowed = Object.fromEntries(
    FILE_TYPES.map((type, index) => [`custom-environment-variables.${type}`, index + 1]),
  );
  for (const file of Util.locateMatchingFiles(load.options.configDir ?? '', allowed)) {
    load.loadFile(file, (content: unknown) => {
      mapping = layer(mapping, isTree(content) ? content : {});
      return {};
    });
  }
  return [...leaves(mapping)].flatMap(([at, variable]) => {
    const content = typeof variable === 'string' ? environment[variable] : undefined;
    const last = at.at(-1);
    if (typeof variable !== 'string' || content === undefined || content === '' || last === '__format') {
      return [];
    }
    const describe = (): string => `environment variable ${variable}`;
    if (last !== '__name') {
      return [{ values: branch(at, content), describe }];
    }
    const group = at.slice(0, -1);
    const format = valueAt(mapping, [...group, '__format']);
    try {
      return [{ values: branch(group, parseText(String(format), variable, content)), describe }];
    } catch (error) {
      throw new Error(`${variable}: cannot be parsed as ${String(format)}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  });
}

/** One flag of the command line. */
export interface FlagValue {
  /** As the user writes it: `--settle-timeout`. */
  readonly flag: string;
  readonly key: string;
  readonly value: string;
}

export function flagSources(flags: readonly FlagValue[]): ConfigurationSource[] {
  return flags.map(({ flag, key, value }) => ({
    values: branch(key.split('.'), value),
    describe: () => `flag ${flag}`,
  }));
}
