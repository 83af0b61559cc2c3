import { allocateFeatures, type FeatureColumns } from './features.ts';

const FIRST_CAPACITY = 1 << 15;

/** Features as columns that grow by doubling. */
export class FeatureList {
  count = 0;
  #columns: FeatureColumns;

  /** @param most so many are expected at most */
  constructor(most = FIRST_CAPACITY) {
    this.#columns = allocateFeatures(Math.min(most, FIRST_CAPACITY));
  }

  /** They may be longer than the number of features. */
  get columns(): FeatureColumns {
    return { ...this.#columns, count: this.count };
  }

  /** Weight, mean x, y, z, SSE. */
  add(feature: Float64Array): void {
    if (this.count === this.#columns.count) {
      this.#columns = grown(this.#columns);
    }
    const at = this.count++;
    const { sse, weight, x, y, z } = this.#columns;
    weight[at] = feature[0] as number;
    x[at] = feature[1] as number;
    y[at] = feature[2] as number;
    z[at] = feature[3] as number;
    sse[at] = feature[4] as number;
  }
}

function grown(columns: FeatureColumns): FeatureColumns {
  const larger = allocateFeatures(2 * columns.count);
  for (const column of ['weight', 'x', 'y', 'z', 'sse'] as const) {
    larger[column].set(columns[column]);
  }
  return larger;
}
