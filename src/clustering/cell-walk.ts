import { type CellAddress, MAX_LEVEL } from '../geo/s2.ts';
import { FACES, NODE_DOUBLES } from './feature-nodes.ts';
import type { Layer, Layers } from './layers.ts';
import { mergeFeature } from './merge-feature.ts';

/** Cells that wait on the way: at most three brothers a level, and the faces. */
const MOST_WAITING = 3 * (MAX_LEVEL + 1) + 6;
/** Of a waiting cell: face, level, i, j; then its node in each layer, 0 where it has none. */
const ADDRESS = 4;

/**
 * Walks the cells of a region in which there are rows, in pre-order, faces and quadrants ascending. It goes
 * into a cell only where `descend` is called; else the cell was taken as a whole. One after another, it serves
 * any number of regions.
 */
export class CellWalk {
  /** The feature of all rows in the cell: weight, mean x, y, z, SSE. */
  readonly whole = new Float64Array(NODE_DOUBLES);
  /** After `descend`, that of the rows in the cell of which no smaller cell is known. */
  readonly own = new Float64Array(NODE_DOUBLES);
  #layers: readonly Layer[] = [];
  #factors: readonly number[] = [];
  #width = ADDRESS;
  #waiting = new Int32Array(0);
  #open = 0;
  /** The cell that is looked at, as in `#waiting`. */
  #here = new Int32Array(0);

  /** Begins with the root of a region. */
  enter({ factors, layers, root }: Layers): void {
    this.#layers = layers;
    this.#factors = factors;
    this.#width = ADDRESS + layers.length;
    this.#open = 0;
    if (this.#here.length < this.#width) {
      this.#waiting = new Int32Array(MOST_WAITING * this.#width);
      this.#here = new Int32Array(this.#width);
    }
    const waiting = this.#waiting;
    for (let face = FACES - 1; face >= 0; face--) {
      let some = 0;
      for (let layer = 0; layer < layers.length; layer++) {
        const node = (layers[layer] as Layer).roots[face] as number;
        waiting[this.#open + ADDRESS + layer] = node;
        some |= node;
      }
      if (some !== 0) {
        waiting[this.#open] = face;
        waiting[this.#open + 1] = root === 'sphere' ? 0 : root.level;
        waiting[this.#open + 2] = root === 'sphere' ? 0 : root.i;
        waiting[this.#open + 3] = root === 'sphere' ? 0 : root.j;
        this.#open += this.#width;
      }
    }
  }

  get cell(): CellAddress {
    const here = this.#here;
    return { face: here[0] as number, level: here[1] as number, i: here[2] as number, j: here[3] as number };
  }

  /** Whether all rows in the cell are its own. */
  get isLeaf(): boolean {
    const layers = this.#layers;
    for (let layer = 0; layer < layers.length; layer++) {
      // Node 0 is one.
      if (!(layers[layer] as Layer).nodes.isLeaf(this.#here[ADDRESS + layer] as number)) {
        return false;
      }
    }
    return true;
  }

  /** Goes on to the next cell; false when there is none. */
  next(): boolean {
    if (this.#open === 0) {
      return false;
    }
    this.#open -= this.#width;
    for (let at = 0; at < this.#width; at++) {
      this.#here[at] = this.#waiting[this.#open + at] as number;
    }
    this.whole[0] = 0;
    const factors = this.#factors;
    const layers = this.#layers;
    for (let layer = 0; layer < layers.length; layer++) {
      const node = this.#here[ADDRESS + layer] as number;
      if (node !== 0) {
        const { sums } = layers[layer] as Layer;
        mergeFeature(this.whole, 0, sums, node * NODE_DOUBLES, factors[layer] as number);
      }
    }
    return true;
  }

  /** The cells inside of this one come next. */
  descend(): void {
    const here = this.#here;
    const waiting = this.#waiting;
    const factors = this.#factors;
    const layers = this.#layers;
    this.own[0] = 0;
    for (let layer = 0; layer < layers.length; layer++) {
      const node = here[ADDRESS + layer] as number;
      if (node !== 0) {
        const { features } = (layers[layer] as Layer).nodes;
        mergeFeature(this.own, 0, features, node * NODE_DOUBLES, factors[layer] as number);
      }
    }
    for (let quadrant = 3; quadrant >= 0; quadrant--) {
      let some = 0;
      for (let layer = 0; layer < layers.length; layer++) {
        const node = here[ADDRESS + layer] as number;
        const { children } = (layers[layer] as Layer).nodes;
        // Node 0 has no children.
        const child = children[(node << 2) + quadrant] as number;
        waiting[this.#open + ADDRESS + layer] = child;
        some |= child;
      }
      if (some !== 0) {
        waiting[this.#open] = here[0] as number;
        waiting[this.#open + 1] = (here[1] as number) + 1;
        waiting[this.#open + 2] = 2 * (here[2] as number) + (quadrant >> 1);
        waiting[this.#open + 3] = 2 * (here[3] as number) + (quadrant & 1);
        this.#open += this.#width;
      }
    }
  }
}
