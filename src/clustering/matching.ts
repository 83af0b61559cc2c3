import type { Steps } from './slices.ts';

/** An edge of a bipartite graph; its weight is above 0. */
export interface Edge {
  readonly left: number;
  readonly right: number;
  readonly weight: number;
}

/** Edges and nodes looked at between two yields: below a millisecond. */
const LOOKS_PER_STEP = 50_000;

/**
 * The matching of greatest total weight in a bipartite graph: each node is in at most one of its edges. Of
 * equally good edges of a left node that is first in line for both, the first one is taken.
 *
 * Successive shortest augmenting paths with potentials (Kuhn 1955; Tomizawa 1971; Edmonds and Karp 1972):
 * the left nodes are matched one after the other, each along the cheapest path on which those before it
 * give way. A left node may also stay alone: that is a partner of its own, of weight 0. Where most nodes
 * keep to their heaviest edge, as clusters do from one model to the next, each edge is looked at about
 * once; at worst it is lefts * (edges + rights^2).
 * @returns the right node of each left node, -1 for none.
 */
export function* heaviestMatching(
  lefts: number,
  rights: number,
  edges: readonly Edge[],
): Steps<readonly number[]> {
  const matching = new Matching(lefts, rights, edges);
  for (let left = 0; left < lefts; left++) {
    yield* matching.add(left);
  }
  return Array.from(matching.partner, (right) => (right < rights ? right : -1));
}

class Matching {
  /** Right node of each left node; `rights + left` where it stays alone. */
  readonly partner: Int32Array;
  /** Left node of each right node, -1 for none. */
  readonly #owner: Int32Array;
  readonly #edges: readonly (readonly Edge[])[];
  /** Weight of each left node's heaviest edge: an edge costs by how much it is lighter. */
  readonly #heaviest: Float64Array;
  readonly #leftPotential: Float64Array;
  readonly #rightPotential: Float64Array;
  /** Of the search under way: the cost of the cheapest path to each right node, and the left node before it. */
  readonly #cost: Float64Array;
  readonly #before: Int32Array;
  #looks = 0;

  constructor(lefts: number, rights: number, edges: readonly Edge[]) {
    const own = Array.from({ length: lefts }, (): Edge[] => []);
    for (const edge of edges) {
      own[edge.left]?.push(edge);
    }
    this.#edges = own.map((some, left) => [...some, { left, right: rights + left, weight: 0 }]);
    this.#heaviest = Float64Array.from(own, (some) =>
      some.reduce((most, { weight }) => Math.max(most, weight), 0),
    );
    this.partner = new Int32Array(lefts).fill(-1);
    this.#owner = new Int32Array(rights + lefts).fill(-1);
    this.#leftPotential = new Float64Array(lefts);
    this.#rightPotential = new Float64Array(rights + lefts);
    this.#cost = new Float64Array(rights + lefts).fill(Infinity);
    this.#before = new Int32Array(rights + lefts);
  }

  /** Matches one more left node: Dijkstra's search for the nearest right node that is free. */
  *add(left: number): Steps<void> {
    const open = new Set<number>();
    const settled = new Set<number>();
    let at = left;
    let right: number;
    for (;;) {
      // The node itself has no partner yet, and costs nothing.
      this.#reach(at, this.#cost[this.partner[at] as number] ?? 0, open, settled);
      right = this.#cheapest(open);
      open.delete(right);
      settled.add(right);
      const owner = this.#owner[right] as number;
      if (owner < 0) {
        break;
      }
      at = owner;
      if (this.#looks >= LOOKS_PER_STEP) {
        this.#looks = 0;
        yield;
      }
    }
    this.#raise(left, settled, this.#cost[right] as number);
    this.#augment(left, right);
    for (const one of [...settled, ...open]) {
      this.#cost[one] = Infinity;
    }
  }

  /** Follows the edges of a left node that is reached at a cost. */
  #reach(left: number, sofar: number, open: Set<number>, settled: ReadonlySet<number>): void {
    const edges = this.#edges[left] as readonly Edge[];
    this.#looks += edges.length;
    const start = sofar + (this.#heaviest[left] as number) - (this.#leftPotential[left] as number);
    for (const { right, weight } of edges) {
      const cost = start - weight - (this.#rightPotential[right] as number);
      if (cost < (this.#cost[right] as number) && !settled.has(right)) {
        this.#cost[right] = cost;
        this.#before[right] = left;
        open.add(right);
      }
    }
  }

  /** There is always one: the stay of the node that was reached last. */
  #cheapest(open: ReadonlySet<number>): number {
    this.#looks += open.size;
    let best = -1;
    let least = Infinity;
    for (const right of open) {
      const cost = this.#cost[right] as number;
      if (cost < least) {
        least = cost;
        best = right;
      }
    }
    return best;
  }

  /** Makes the edges of the cheapest path cost nothing, and none less than that. */
  #raise(left: number, settled: ReadonlySet<number>, cost: number): void {
    this.#leftPotential[left] = (this.#leftPotential[left] as number) + cost;
    for (const right of settled) {
      const saved = cost - (this.#cost[right] as number);
      const owner = this.#owner[right] as number;
      this.#rightPotential[right] = (this.#rightPotential[right] as number) - saved;
      if (owner >= 0) {
        this.#leftPotential[owner] = (this.#leftPotential[owner] as number) + saved;
      }
    }
  }

  /** Hands the right nodes of the path on, each to the left node before it. */
  #augment(left: number, free: number): void {
    for (let right = free; ; ) {
      const owner = this.#before[right] as number;
      const given = this.partner[owner] as number;
      this.partner[owner] = right;
      this.#owner[right] = owner;
      if (owner === left) {
        return;
      }
      right = given;
    }
  }
}
