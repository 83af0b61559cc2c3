import { greatCircleKm, unitVector, type UnitVector } from '../geo/sphere.ts';
import type { Position } from '../geo/axes.ts';
import { heaviestMatching } from './matching.ts';
import type { Cluster } from './model.ts';
import type { Steps } from './slices.ts';

/** What is remembered of a live model, so that the next one's clusters can be told to be the same. */
export interface LiveClusters {
  /** Greater than any id that was ever given. */
  readonly nextId: number;
  /** In the order of the model. */
  readonly clusters: readonly LiveCluster[];
}

export interface LiveCluster {
  readonly id: number;
  readonly center: UnitVector;
  readonly radiusKm: number;
  /** Where it was when it appeared, or when it was last told to have moved. */
  readonly anchor: Position;
}

/**
 * What became of clusters from one live model to the next. Each id that appears is `born` or `split` off,
 * each that ends has `died` or `merged`, and one that stays may have `moved`.
 * (Spiliopoulou, Ntoutsi, Theodoridis, Schult: MONIC - modeling and monitoring cluster transitions, KDD 2006.)
 */
export type ClusterEvent =
  | { readonly type: 'born'; readonly id: number }
  | {
      /** Most of its rows would have been in the cluster `from` before. */
      readonly type: 'split';
      readonly id: number;
      readonly from: number;
    }
  | { readonly type: 'died'; readonly id: number }
  | {
      /** Most of the rows that it would have are in the cluster `into` now. */
      readonly type: 'merged';
      readonly id: number;
      readonly into: number;
    }
  | {
      readonly type: 'moved';
      readonly id: number;
      /** Great-circle distance since it appeared or was last told to have moved. */
      readonly km: number;
    };

/** Today's rows of which the nearest center before is that of the cluster `left`, and now of `right`: indices. */
export interface Flow {
  readonly left: number;
  readonly right: number;
  /** Weight of those within reach of the cluster before: they may have been in it. */
  readonly near: number;
  /** Weight of those that are not. */
  readonly far: number;
}

/** How the clusters of a new model go on from those before. */
export interface Succession {
  /** Of the new clusters, in their order. */
  readonly ids: readonly number[];
  readonly live: LiveClusters;
  /** Ascending by id. */
  readonly events: readonly ClusterEvent[];
}

/** Which share of the rows makes one cluster the other's continuation. */
const MAJORITY = 0.5;
/** A cluster has moved when it has by so much of its radius, and by a metre. */
const MOVED_RADII = 0.1;
const MOVED_KM = 0.001;

/**
 * Gives the clusters of a model their ids. Before any other live model they are the ranks.
 *
 * Ids go on along the heaviest matching of clusters before with new ones, so that the rows of which the
 * cluster has another id than before are as few as can be; but only where one of the two has most of its
 * rows in common with the other. Rows far from all clusters before do not count in that: a crowd that
 * appears elsewhere does not take the id of the cluster that it happens to be nearest to. Along them go on,
 * in the same way, those clusters that are left: one that moves fast keeps its id where nothing else could
 * be it. All other new clusters get ids that no cluster ever had.
 * @param flows for each cluster before those to the new clusters, of equally heavy ones the first preferred.
 */
export function* succeed(
  before: LiveClusters | undefined,
  clusters: readonly Cluster[],
  flows: readonly Flow[],
): Steps<Succession> {
  const old = before?.clusters ?? [];
  const common = waysOf(flows, near, near);
  const predecessors = new Map<number, LiveCluster>();
  const stayed = new Set<number>();
  for (const [part, ways] of [[near, common] as const, [far, waysOf(flows, far, rows)] as const]) {
    const edges = flows
      .filter((flow) => part(flow) > 0 && !stayed.has(flow.left) && !predecessors.has(flow.right))
      .map((flow) => ({ left: flow.left, right: flow.right, weight: part(flow) }));
    const partners = yield* heaviestMatching(old.length, clusters.length, edges);
    for (const [left, cluster] of old.entries()) {
      const right = partners[left] as number;
      if (right >= 0 && (ways.successors.get(left) === right || ways.origins.get(right) === left)) {
        predecessors.set(right, cluster);
        stayed.add(left);
      }
    }
  }
  let nextId = before?.nextId ?? 1;
  const ids = clusters.map((_, index) => predecessors.get(index)?.id ?? nextId++);
  const events = new Map<number, ClusterEvent>();
  const live = clusters.map((cluster, index): LiveCluster => {
    const id = ids[index] as number;
    const { center, latitude, longitude, radiusKm } = cluster;
    const here = { longitude, latitude };
    const predecessor = predecessors.get(index);
    if (predecessor === undefined) {
      const from = old[common.origins.get(index) ?? -1]?.id;
      events.set(id, from === undefined ? { type: 'born', id } : { type: 'split', id, from });
      return { id, center, radiusKm, anchor: here };
    }
    const km = greatCircleKm(unitVector(predecessor.anchor), unitVector(here));
    if (km <= Math.max(MOVED_KM, MOVED_RADII * radiusKm)) {
      return { id, center, radiusKm, anchor: predecessor.anchor };
    }
    events.set(id, { type: 'moved', id, km });
    return { id, center, radiusKm, anchor: here };
  });
  for (const [index, { id }] of old.entries()) {
    if (!stayed.has(index)) {
      const into = ids[common.successors.get(index) ?? -1];
      events.set(id, into === undefined ? { type: 'died', id } : { type: 'merged', id, into });
    }
  }
  const byId = [...events.values()].sort((a, b) => a.id - b.id);
  return { ids, live: { nextId, clusters: live }, events: byId };
}

type Measure = (flow: Flow) => number;

const near: Measure = (flow) => flow.near;
const far: Measure = (flow) => flow.far;
const rows: Measure = (flow) => flow.near + flow.far;

/** Where most rows of each cluster go to and come from, by index; no entry where it is not one place. */
interface Ways {
  readonly successors: ReadonlyMap<number, number>;
  readonly origins: ReadonlyMap<number, number>;
}

/** Of a new cluster all rows are its own; of one before those that `own` says. */
function waysOf(flows: readonly Flow[], part: Measure, own: Measure): Ways {
  const leaving = totalsOf(flows, ({ left }) => left, own);
  const coming = totalsOf(flows, ({ right }) => right, rows);
  const successors = flows.filter((flow) => part(flow) > MAJORITY * (leaving.get(flow.left) as number));
  const origins = flows.filter((flow) => part(flow) > MAJORITY * (coming.get(flow.right) as number));
  return {
    successors: new Map(successors.map(({ left, right }) => [left, right])),
    origins: new Map(origins.map(({ left, right }) => [right, left])),
  };
}

function totalsOf(flows: readonly Flow[], side: Measure, own: Measure): ReadonlyMap<number, number> {
  const totals = new Map<number, number>();
  for (const flow of flows) {
    totals.set(side(flow), (totals.get(side(flow)) ?? 0) + own(flow));
  }
  return totals;
}
