/**
 * Who gets which partition, and what members of a group tell each other about it: pure functions of what
 * the members said when they joined. The leader of a round runs `assign`.
 *
 * A partition changes hands in two rounds (as in KIP-429), so that it never has two owners: in the first
 * it is withheld from everybody, which tells its owner to let go; the owner then joins again without it,
 * and the second round gives it away. All other partitions are not touched by either.
 */

/** What a member says about itself when it joins. */
export interface MemberState {
  readonly id: string;
  /** Partitions it works on. It must not lose them without being told. */
  readonly owned: readonly number[];
  /** The generation that gave it those; 0 for a member that never had an assignment. */
  readonly generation: number;
  /** What must be the same in all members. */
  readonly fingerprint: string;
}

export interface Assignment {
  readonly partitions: readonly number[];
  /** Why this member is refused; it must not go on. */
  readonly refusal?: string;
}

/**
 * The assignments of one round: balanced within one partition, moving no more than that takes, the same
 * whatever the order of the members.
 */
export function assign(partitions: number, members: readonly MemberState[]): Map<string, Assignment> {
  const refusals = refusalsOf(members);
  const admitted = members.filter(({ id }) => !refusals.has(id)).sort((a, b) => compare(a.id, b.id));
  const assignments = new Map<string, Assignment>();
  for (const [id, refusal] of refusals) {
    assignments.set(id, { partitions: [], refusal });
  }
  // What a refused member owns it will be made to let go; until it has, nobody else may have it.
  const claims = claimsOf(partitions, members);
  for (const [id, granted] of share(partitions, admitted, claims)) {
    assignments.set(id, { partitions: granted });
  }
  return assignments;
}

/** Of one partition: its one owner; or that it is claimed, and must be let go by whoever claims it. */
type Claim = string | typeof CONTESTED;

const CONTESTED = Symbol('contested');

/**
 * The owner of each claimed partition. A claim of an older generation is stale and loses; two of the same
 * generation cannot both be true, so both must let go before anybody gets the partition.
 */
function claimsOf(partitions: number, members: readonly MemberState[]): Map<number, Claim> {
  const claims = new Map<number, Claim>();
  const generations = new Map<number, number>();
  for (const { generation, id, owned } of members) {
    for (const partition of new Set(owned)) {
      const before = generations.get(partition) ?? -1;
      if (partition >= partitions || generation < before) {
        continue;
      }
      claims.set(partition, generation === before ? CONTESTED : id);
      generations.set(partition, generation);
    }
  }
  return claims;
}

function share(
  partitions: number,
  members: readonly MemberState[],
  claims: ReadonlyMap<number, Claim>,
): Map<string, number[]> {
  const shares = new Map<string, number[]>(members.map(({ id }) => [id, []]));
  for (const [partition, claim] of [...claims].sort(([a], [b]) => a - b)) {
    if (claim !== CONTESTED) {
      shares.get(claim)?.push(partition);
    }
  }
  const quotas = quotasOf(partitions, shares);
  for (const [id, owned] of shares) {
    owned.splice(quotas.get(id) ?? 0);
  }
  const kept = new Set([...shares.values()].flat());
  const numbers = Array.from({ length: partitions }, (_, partition) => partition);
  const free = numbers.filter((partition) => !claims.has(partition));
  const withheld = numbers.filter((partition) => claims.has(partition) && !kept.has(partition));
  // What is free is given first: whoever is short begins with that, and waits for the rest.
  let left = free.length + withheld.length;
  for (const [id, owned] of shares) {
    const missing = (quotas.get(id) ?? 0) - owned.length;
    left -= missing;
    owned.push(...free.splice(0, missing));
  }
  if (members.length > 0 && left !== 0) {
    throw new RangeError(`${String(left)} of ${String(partitions)} partitions are in nobody's share`);
  }
  return shares;
}

/** How many each shall have: the larger shares go to those who own most already. */
function quotasOf(partitions: number, shares: ReadonlyMap<string, readonly number[]>): Map<string, number> {
  const small = Math.floor(partitions / shares.size);
  const larger = partitions % shares.size;
  const byOwned = [...shares].sort(([a, ownA], [b, ownB]) => ownB.length - ownA.length || compare(a, b));
  return new Map(byOwned.map(([id], at) => [id, at < larger ? small + 1 : small]));
}

/**
 * Members whose configuration is not that of the members who were there before them. Where nobody was
 * there before, or those differ among themselves, there is no right one, and all are refused.
 */
function refusalsOf(members: readonly MemberState[]): Map<string, string> {
  const newest = Math.max(...members.map(({ generation }) => generation));
  const established = members.filter(({ generation }) => generation === newest);
  const right = [...new Set(established.map(({ fingerprint }) => fingerprint))].sort(compare);
  const refusals = new Map<string, string>();
  for (const { fingerprint, id } of members) {
    const other = right.find((one) => one !== fingerprint);
    if (other !== undefined) {
      refusals.set(id, `this replica has ${fingerprint}, another has ${other}`);
    }
  }
  return refusals;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
