/** Plain nested objects, as configuration files parse to them. */

export type Tree = Record<string, unknown>;

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An empty tree without a prototype, so that a key such as `__proto__` is just a key. */
function emptyTree(): Tree {
  return Object.create(null) as Tree;
}

/**
 * `upper` laid over `lower`; neither is changed. Groups merge key by key. A group without keys
 * (`input:` with everything below commented out) parses to null and changes nothing.
 */
export function layer(lower: Tree, upper: Tree): Tree {
  const merged = Object.assign(emptyTree(), lower);
  for (const [key, value] of Object.entries(upper)) {
    const below = Object.hasOwn(lower, key) ? lower[key] : undefined;
    if (isTree(value)) {
      merged[key] = layer(isTree(below) ? below : emptyTree(), value);
    } else if (value !== undefined && !(value === null && isTree(below))) {
      merged[key] = value;
    }
  }
  return merged;
}

/** The value at `at`, or undefined. */
export function valueAt(tree: unknown, at: readonly PropertyKey[]): unknown {
  let value = tree;
  for (const key of at) {
    if (!isTree(value) || !Object.hasOwn(value, key)) {
      return undefined;
    }
    value = value[String(key)];
  }
  return value;
}

/** A tree with one leaf. */
export function branch(at: readonly string[], value: unknown): Tree {
  return at.reduceRight<unknown>((inner, key) => Object.assign(emptyTree(), { [key]: inner }), value) as Tree;
}

/** All leaves with their dotted keys, in order. An empty group has none. */
export function* leaves(tree: Tree, above: readonly string[] = []): Generator<[readonly string[], unknown]> {
  for (const [key, value] of Object.entries(tree)) {
    const at = [...above, key];
    if (isTree(value)) {
      yield* leaves(value, at);
    } else {
      yield [at, value];
    }
  }
}
