/** Renders the kustomizations as `kubectl apply -k` would. */
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { loadAll } from 'js-yaml';
import { cannotRun } from '../support/cannot-run.ts';
import type { Manifest } from './objects.ts';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** Folders below k8s/ that are there to be applied. */
export const OVERLAYS = ['overlays/local', 'overlays/aks'] as const;

type Command = readonly [string, ...string[]];

/** Whichever of these is there, the first first. The last is where `go install` puts it. */
const RENDERERS: readonly Command[] = [
  ['kubectl', 'kustomize'],
  ['kustomize', 'build'],
  [path.join(os.homedir(), 'go/bin/kustomize'), 'build'],
];

let found: Command | undefined;

/** Skips where nothing renders; with CI set it fails. */
export function needRenderer(test: Mocha.Context): void {
  found ??= RENDERERS.find(
    ([command]) => spawnSync(command, ['--help'], { stdio: 'ignore', timeout: 20_000 }).status === 0,
  );
  if (found === undefined) {
    cannotRun(test, 'neither kubectl nor kustomize is here to render the manifests of k8s/');
  }
}

const rendered = new Map<string, readonly Manifest[]>();

/** The objects of a folder below k8s/, rendered once. */
export function render(folder: string): readonly Manifest[] {
  const objects = rendered.get(folder) ?? run(path.join(ROOT, 'k8s', folder));
  rendered.set(folder, objects);
  return objects;
}

/** Of a folder below k8s/ with components that it does not have by itself. */
export function renderWith(folder: string, components: readonly string[]): readonly Manifest[] {
  const scratch = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'geoflock-k8s-'));
  try {
    const below = (name: string): string => path.relative(scratch, path.join(ROOT, 'k8s', name));
    const kustomization = {
      namespace: 'geoflock',
      resources: [below(folder)],
      components: components.map(below),
    };
    fs.writeFileSync(path.join(scratch, 'kustomization.yaml'), JSON.stringify(kustomization));
    return run(scratch);
  } finally {
    fs.rmSync(scratch, { recursive: true });
  }
}

function run(folder: string): readonly Manifest[] {
  if (found === undefined) {
    throw new Error('needRenderer comes first');
  }
  const [command, ...args] = found;
  const text = execFileSync(command, [...args, folder], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 50_000,
  });
  return loadAll(text) as Manifest[];
}
