import { z } from 'zod';
import { keyFacts, type KeyFacts } from './fields.ts';

/** The dotted keys of a configuration schema. */
export interface KnownKeys {
  /** Every group and leaf, in the schema's order. */
  readonly all: readonly string[];
  /** Facts of every leaf, by dotted key. */
  readonly leaves: ReadonlyMap<string, KeyFacts>;
}

export function knownKeys(schema: z.ZodObject): KnownKeys {
  const all: string[] = [];
  const leaves = new Map<string, KeyFacts>();
  const visit = (group: z.ZodObject, above: string): void => {
    for (const [name, child] of Object.entries(group.shape)) {
      const key = above === '' ? name : `${above}.${name}`;
      all.push(key);
      if (child instanceof z.ZodObject) {
        visit(child, key);
      } else {
        const facts = child instanceof z.ZodType ? keyFacts.get(child) : undefined;
        leaves.set(key, facts ?? { expects: 'another value' });
      }
    }
  };
  visit(schema, '');
  return { all, leaves };
}

/** Text that stands for the value of a secret. */
export const HIDDEN = '(hidden)';

/**
 * The known key that `key` most likely meant: a sibling spelled almost the same, else the same name
 * in another group; undefined when nothing comes near.
 */
export function nearestKey(key: string, known: readonly string[]): string | undefined {
  const [parent, name] = splitLast(key);
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const [candidateParent, candidateName] = splitLast(candidate);
    const distance =
      editDistance(name.toLowerCase(), candidateName.toLowerCase()) + (parent === candidateParent ? 0 : 1);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function splitLast(key: string): [string, string] {
  const dot = key.lastIndexOf('.');
  return dot === -1 ? ['', key] : [key.slice(0, dot), key.slice(dot + 1)];
}

/** Number of single-character insertions, deletions and substitutions (Levenshtein 1966). */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 0; i < left.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < right.length; j++) {
      const substituted = (row[j] ?? 0) + (left[i] === right[j] ? 0 : 1);
      next.push(Math.min(substituted, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}
