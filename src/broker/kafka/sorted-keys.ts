const MAX_CHUNK = 1_024;
const PAIR = /[\ud800-\udfff]/;

type Compare = (left: string, right: string) => number;

/**
 * Keys in the order of their UTF-8 bytes. Kept in chunks, so that adding one costs microseconds among
 * hundreds of thousands, and never a sort of all of them.
 */
export class SortedKeys {
  /** None of them empty, each behind the one before it. */
  readonly #chunks: string[][] = [];
  /** Much the faster one until a key has characters that JavaScript orders otherwise. */
  #compare: Compare = byUnit;

  /** @param key is not there yet. */
  add(key: string): void {
    const at = Math.min(this.#chunkOf(key), this.#chunks.length - 1);
    const chunk = this.#chunks[at];
    if (chunk === undefined) {
      this.#chunks.push([key]);
      return;
    }
    chunk.splice(lowerBound(chunk, key, this.#compare), 0, key);
    if (chunk.length > MAX_CHUNK) {
      this.#chunks.splice(at + 1, 0, chunk.splice(MAX_CHUNK / 2));
    }
  }

  delete(key: string): void {
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at];
    const within = chunk === undefined ? 0 : lowerBound(chunk, key, this.#compare);
    if (chunk?.[within] === key) {
      chunk.splice(within, 1);
      if (chunk.length === 0) {
        this.#chunks.splice(at, 1);
      }
    }
  }

  /** In ascending order. Neither add nor delete while going through them. */
  *from(prefix: string): Generator<string> {
    let at = this.#chunkOf(prefix);
    let within = lowerBound(this.#chunks[at] ?? [], prefix, this.#compare);
    for (let chunk = this.#chunks[at]; chunk !== undefined; chunk = this.#chunks[at]) {
      for (; within < chunk.length; within++) {
        const key = chunk[within] ?? '';
        if (!key.startsWith(prefix)) {
          return;
        }
        yield key;
      }
      at++;
      within = 0;
    }
  }

  /** The first chunk whose last key is `key` or behind it. */
  #chunkOf(key: string): number {
    if (this.#compare === byUnit && PAIR.test(key)) {
      this.#compare = byCodePoint;
    }
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#compare(this.#chunks[middle]?.at(-1) ?? '', key) < 0) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
}

function lowerBound(keys: readonly string[], wanted: string, compare: Compare): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(keys[middle] ?? '', wanted) < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

function byUnit(left: string, right: string): number {
  return left < right ? -1 : left === right ? 0 : 1;
}

/**
 * The order of the keys' UTF-8 bytes, which is that of their code points. JavaScript compares 16-bit units;
 * the two differ only where one of the first units that differ belongs to a pair and the other does not.
 */
export function byCodePoint(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  let at = 0;
  while (at < length && left.charCodeAt(at) === right.charCodeAt(at)) {
    at++;
  }
  if (at === length) {
    return left.length - right.length;
  }
  const a = left.charCodeAt(at);
  const b = right.charCodeAt(at);
  const pairA = isSurrogate(a);
  return pairA === isSurrogate(b) ? a - b : pairA ? 1 : -1;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
