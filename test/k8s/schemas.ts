/**
 * Kubernetes' own JSON schemas, from the Python package kubernetes-validate, of which only the data is used:
 *
 *     python3 -m pip install --no-deps kubernetes-validate==1.37.0
 *
 * (No package of npm has those of a current version in a form that refuses unknown fields.)
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { cannotRun } from '../support/cannot-run.ts';
import type { Manifest } from './objects.ts';

/** The oldest that the manifests are for (the sleep of preStop), the one they are tried on, and the newest. */
export const VERSIONS = ['1.30', '1.34', '1.37'] as const;

const WHERE = [
  'import importlib.util',
  'found = importlib.util.find_spec("kubernetes_validate")',
  'print("" if found is None else found.submodule_search_locations[0])',
].join('\n');

let folder: string | undefined;

/** Skips where the schemas are not there; with CI set it fails. */
export function needSchemas(test: Mocha.Context): void {
  folder ??= installed();
  if (folder === undefined) {
    cannotRun(test, 'no schemas of Kubernetes: python3 -m pip install --no-deps kubernetes-validate==1.37.0');
  }
}

function installed(): string | undefined {
  try {
    return execFileSync('python3', ['-c', WHERE], { encoding: 'utf8', timeout: 20_000 }).trim() || undefined;
  } catch {
    return undefined;
  }
}

const read = new Map<string, Schemas>();

/** The schemas of a version, read once. */
export function schemasOf(version: string): Schemas {
  const schemas = read.get(version) ?? new Schemas(version);
  read.set(version, schemas);
  return schemas;
}

/** Judges objects by one version of Kubernetes; fields that it does not know are wrong. */
class Schemas {
  readonly #folder: string;
  readonly #ajv: Ajv2020;
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor(version: string) {
    if (folder === undefined) {
      throw new Error('needSchemas comes first');
    }
    this.#folder = path.join(folder, 'kubernetes-json-schema', `v${version}.0-local-strict`);
    // The schemas say of numbers how wide they are, as a format, and carry keywords of Kubernetes' own.
    this.#ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
    this.#ajv.addSchema(this.#read('_definitions.json'));
  }

  /** What is wrong with an object, one sentence each. */
  problems(object: Manifest): readonly string[] {
    const validate = this.#of(object);
    if (validate === undefined) {
      return [`no kind ${object.kind} in ${object.apiVersion}`];
    }
    validate(object);
    return (validate.errors ?? []).map(({ instancePath, message = '', params }) => {
      const unknown: unknown = params['additionalProperty'];
      return `${instancePath} ${message}${typeof unknown === 'string' ? `: ${unknown}` : ''}`;
    });
  }

  #of({ apiVersion, kind }: Manifest): ValidateFunction | undefined {
    // rbac.authorization.k8s.io/v1 is called rbac-v1.
    const api = apiVersion.replace(/^([^./]*)(?:\.[^/]*)?\//, '$1-');
    const file = `${kind.toLowerCase()}-${api}.json`;
    let compiled = this.#compiled.get(file);
    if (compiled === undefined && fs.existsSync(path.join(this.#folder, file))) {
      compiled = this.#ajv.compile(this.#read(file));
      this.#compiled.set(file, compiled);
    }
    return compiled;
  }

  #read(file: string): object {
    return JSON.parse(fs.readFileSync(path.join(this.#folder, file), 'utf8')) as object;
  }
}
