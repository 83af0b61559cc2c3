import type { Manifest } from './objects.ts';

/** A copy of the objects in which one value of one of them is another; undefined takes it away. */
export function withValue(
  objects: readonly Manifest[],
  name: string,
  at: string,
  value: unknown,
): readonly Manifest[] {
  const copy = structuredClone(objects) as Manifest[];
  const [kind, wanted = ''] = name.split('/');
  const ofKind = copy.filter((one) => one.kind === kind);
  // Names of generated ConfigMaps end in a hash.
  const object =
    ofKind.find(({ metadata }) => metadata.name === wanted) ??
    ofKind.find(({ metadata }) => metadata.name.startsWith(`${wanted}-`));
  if (object === undefined) {
    throw new Error(`there is no ${name}`);
  }
  const keys = at.split('/');
  const last = keys.pop() ?? '';
  let holder = object as unknown as Record<string, unknown>;
  for (const key of keys) {
    const next = holder[key];
    if (typeof next !== 'object' || next === null) {
      throw new Error(`${name} has no ${at}`);
    }
    holder = next as Record<string, unknown>;
  }
  if (value === undefined) {
    if (!(last in holder)) {
      throw new Error(`${name} has no ${at}`);
    }
    Reflect.deleteProperty(holder, last);
  } else {
    holder[last] = value;
  }
  return copy;
}

/** A copy without one of the objects. */
export function without(objects: readonly Manifest[], name: string): readonly Manifest[] {
  const left = objects.filter(({ kind, metadata }) => `${kind}/${metadata.name}` !== name);
  if (left.length === objects.length) {
    throw new Error(`there is no ${name}`);
  }
  return left;
}
