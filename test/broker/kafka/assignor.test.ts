import { expect } from 'chai';
import fc from 'fast-check';
import { assign, type Assignment, type MemberState } from '../../../src/broker/kafka/assignor.ts';

describe('assignment of partitions to the members of a group', () => {
  it('gives every partition to exactly one member within two rounds, balanced within one', () => {
    fc.assert(
      fc.property(situations(), ({ members, partitions }) => {
        const second = nextRound(partitions, nextRound(partitions, members));
        const shares = second.map(({ owned }) => owned.length);
        expect(second.flatMap(({ owned }) => owned).sort(ascending)).to.deep.equal(numbers(partitions));
        expect(Math.max(...shares) - Math.min(...shares)).to.be.at.most(1);
      }),
    );
  });

  it('gives no partition to two members, nor to one while another works on it', () => {
    fc.assert(
      fc.property(situations(), ({ members, partitions }) => {
        const assignments = assign(partitions, members);
        const users = numbers(partitions).map((partition) =>
          members.filter(
            ({ id, owned }) => owned.includes(partition) || partitionsOf(assignments, id).includes(partition),
          ),
        );
        expect(Math.max(...users.map(({ length }) => length))).to.be.at.most(1);
      }),
    );
  });

  it('moves no partition without need', () => {
    fc.assert(
      fc.property(situations(), ({ members, partitions }) => {
        const assignments = assign(partitions, members);
        const letGo = members.map(
          ({ id, owned }) => owned.filter((one) => !partitionsOf(assignments, id).includes(one)).length,
        );
        expect(sum(letGo)).to.equal(fewestMoves(partitions, members));
      }),
    );
  });

  it('changes nothing where nobody came or went', () => {
    fc.assert(
      fc.property(situations(), ({ members, partitions }) => {
        const settled = nextRound(partitions, nextRound(partitions, members));
        expect(nextRound(partitions, settled).map(({ owned }) => owned)).to.deep.equal(
          settled.map(({ owned }) => owned),
        );
      }),
    );
  });

  it('does not depend on the order of the members', () => {
    fc.assert(
      fc.property(situations(), ({ members, partitions }) => {
        const one = assign(partitions, members);
        const other = assign(partitions, members.toReversed());
        expect([...one].sort(byId)).to.deep.equal([...other].sort(byId));
      }),
    );
  });

  it('moves only what a new member needs, and only what one that left had', () => {
    const two = nextRound(9, nextRound(9, [fresh('a'), fresh('b')]));
    const three = nextRound(9, nextRound(9, [...two, fresh('c')]));
    expect(three.map(({ owned }) => owned.length)).to.deep.equal([3, 3, 3]);
    for (const [at, { owned }] of two.entries()) {
      expect(owned).to.include.members([...(three[at]?.owned ?? [])]);
    }
    const again = nextRound(9, three.slice(1));
    for (const [at, { owned }] of again.entries()) {
      expect(owned).to.include.members([...(three[at + 1]?.owned ?? [])]);
    }
    expect(again.flatMap(({ owned }) => owned)).to.have.lengthOf(9);
  });

  it('lets a claim of an older generation lose', () => {
    const assignments = assign(2, [member('old', [0, 1], 3), member('new', [0], 4)]);
    expect(partitionsOf(assignments, 'new')).to.deep.equal([0]);
    expect(partitionsOf(assignments, 'old')).to.deep.equal([1]);
  });

  it('withholds a partition that two claim in one generation until both have let go', () => {
    const members = [member('a', [0], 4), member('b', [0], 4)];
    const assignments = assign(1, members);
    expect(partitionsOf(assignments, 'a')).to.deep.equal([]);
    expect(partitionsOf(assignments, 'b')).to.deep.equal([]);
    expect(nextRound(1, nextRound(1, members)).flatMap(({ owned }) => owned)).to.deep.equal([0]);
  });

  it('withholds it also where the newest claim is read before a stale one', () => {
    const assignments = assign(1, [member('a', [0], 4), member('b', [0], 5), member('c', [0], 5)]);
    expect([...assignments.values()].flatMap(({ partitions }) => partitions)).to.deep.equal([]);
  });

  it('ignores a claim to a partition that does not exist', () => {
    expect(partitionsOf(assign(1, [member('a', [7], 4)]), 'a')).to.deep.equal([0]);
  });

  describe('of members whose configuration differs', () => {
    it('refuses the newcomer, who is told both', () => {
      const assignments = assign(2, [member('a', [0, 1], 3), { ...fresh('b'), fingerprint: 'level 4' }]);
      expect(assignments.get('a')).to.deep.equal({ partitions: [0, 1] });
      expect(assignments.get('b')?.partitions).to.deep.equal([]);
      expect(assignments.get('b')?.refusal).to.equal('this replica has level 4, another has same');
    });

    it('refuses all where nobody was there before them', () => {
      const assignments = assign(2, [fresh('a'), { ...fresh('b'), fingerprint: 'level 4' }]);
      expect(assignments.get('a')?.refusal).to.equal('this replica has same, another has level 4');
      expect(assignments.get('b')?.refusal).to.equal('this replica has level 4, another has same');
    });

    it('does not give away what a refused member still works on', () => {
      const assignments = assign(2, [
        member('a', [0], 3),
        { ...member('b', [1], 2), fingerprint: 'level 4' },
      ]);
      expect(assignments.get('b')?.refusal).to.be.a('string');
      expect(partitionsOf(assignments, 'a')).to.deep.equal([0]);
    });
  });
});

function fresh(id: string): MemberState {
  return { id, owned: [], generation: 0, fingerprint: 'same' };
}

function member(id: string, owned: readonly number[], generation: number): MemberState {
  return { id, owned, generation, fingerprint: 'same' };
}

/** Members with honest claims: no partition has two owners; some have none. */
function situations(): fc.Arbitrary<{ partitions: number; members: MemberState[] }> {
  return fc
    .record({
      partitions: fc.integer({ min: 1, max: 24 }),
      generations: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 6 }),
      owners: fc.array(fc.integer({ min: -1, max: 5 }), { minLength: 24, maxLength: 24 }),
      ids: fc.shuffledSubarray(['a', 'b', 'c', 'd', 'e', 'f'], { minLength: 6 }),
    })
    .map(({ generations, ids, owners, partitions }) => ({
      partitions,
      members: generations.map((generation, at) =>
        member(
          ids[at] ?? '',
          numbers(partitions).filter((partition) => owners[partition] === at),
          generation,
        ),
      ),
    }));
}

/** What the members say in the next round, when each has let go and taken as it was told. */
function nextRound(partitions: number, members: readonly MemberState[]): MemberState[] {
  const assignments = assign(partitions, members);
  const generation = Math.max(...members.map((one) => one.generation)) + 1;
  return members.map((one) => ({
    ...one,
    generation,
    owned: partitionsOf(assignments, one.id).toSorted(ascending),
  }));
}

function partitionsOf(assignments: ReadonlyMap<string, Assignment>, id: string): readonly number[] {
  const assignment = assignments.get(id);
  expect(assignment?.refusal).to.equal(undefined);
  return assignment?.partitions ?? [];
}

/** Tries every way to hand out the larger shares. */
function fewestMoves(partitions: number, members: readonly MemberState[]): number {
  const small = Math.floor(partitions / members.length);
  const larger = partitions % members.length;
  let fewest = Number.POSITIVE_INFINITY;
  for (let chosen = 0; chosen < 2 ** members.length; chosen++) {
    const has = members.map((_, at) => (chosen >> at) & 1);
    if (sum(has) === larger) {
      const moves = members.map(({ owned }, at) => Math.max(0, owned.length - small - (has[at] ?? 0)));
      fewest = Math.min(fewest, sum(moves));
    }
  }
  return fewest;
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function ascending(a: number, b: number): number {
  return a - b;
}

function byId([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
