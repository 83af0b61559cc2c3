/** What is looked through, in an order that changes. */
let scratch = new Float64Array(0);

/**
 * The value that would be at `rank`, from 0, if the first `count` of these were sorted: in about 2 `count`
 * comparisons, where sorting takes `count` times their logarithm. (Hoare: Algorithm 65, Find, Communications of the
 * ACM 4, 1961.) No value may be NaN.
 */
export function rankedAt(rank: number, values: Float64Array, count: number): number {
  if (scratch.length < count) {
    scratch = new Float64Array(2 * count);
  }
  const left = scratch;
  for (let at = 0; at < count; at++) {
    left[at] = values[at] as number;
  }
  let from = 0;
  let to = count - 1;
  while (from < to) {
    const pivot = left[(from + to) >> 1] as number;
    let i = from;
    let j = to;
    while (i <= j) {
      while ((left[i] as number) < pivot) {
        i++;
      }
      while ((left[j] as number) > pivot) {
        j--;
      }
      if (i <= j) {
        const value = left[i] as number;
        left[i++] = left[j] as number;
        left[j--] = value;
      }
    }
    if (rank <= j) {
      to = j;
    } else if (rank >= i) {
      from = i;
    } else {
      break;
    }
  }
  return left[rank] as number;
}
