import { expect } from 'chai';
import fc from 'fast-check';
import { TableChanges } from '../../../src/broker/embedded/table-changes.ts';

const KEYS = ['a/1', 'a/2', 'a/3', 'b/1'];

describe('the changes of a table partition', () => {
  it('are those of later commits than the one that is asked for, by prefix', () => {
    const changes = new TableChanges(4);
    changes.put('a/1', 5);
    changes.put('a/2', 6);
    changes.put('b/1', 6);
    changes.put('a/1', 7);
    expect(changes.since(4, '')).to.have.members(['a/1', 'a/2', 'b/1']);
    expect(changes.since(5, 'a/')).to.have.members(['a/1', 'a/2']);
    expect(changes.since(6, '')).to.deep.equal(['a/1']);
    expect(changes.since(7, '')).to.deep.equal([]);
  });

  it('are not known of commits that were put together before anybody asked', () => {
    const changes = new TableChanges(4);
    expect(changes.since(3, '')).to.equal(undefined);
    expect(changes.since(4, '')).to.deep.equal([]);
  });

  it('name each key that differs, whatever fails, and keep none that is removed', () => {
    const step = fc.record({
      puts: fc.array(fc.tuple(fc.constantFrom(...KEYS), fc.boolean()), { maxLength: 5 }),
      fails: fc.boolean(),
      isRead: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const changes = new TableChanges(0);
        let stored = new Map<string, number>();
        let visible = 0;
        let told = { at: 0, entries: new Map<string, number>() };
        for (const [number, { fails, isRead, puts }] of steps.entries()) {
          const next = new Map(stored);
          for (const [key, isRemoval] of puts) {
            changes[isRemoval ? 'remove' : 'put'](key, visible + 1);
            if (isRemoval) {
              next.delete(key);
            } else {
              next.set(key, number);
            }
          }
          if (fails) {
            changes.rolledBack();
          } else {
            visible++;
            stored = next;
            changes.committed();
          }
          if (isRead) {
            const since = changes.since(told.at, '') ?? expect.fail('it is known');
            for (const [key, value] of stored) {
              if (told.entries.get(key) !== value) {
                expect(since).to.include(key);
              }
            }
            told = { at: visible, entries: stored };
          }
        }
        // A commit with nothing in it, after which nothing can have failed.
        changes.committed();
        // From before the first commit on: all that are kept.
        for (const key of changes.since(0, '') ?? expect.fail('it is known')) {
          expect(stored.has(key) || steps.some(({ fails }) => fails), key).to.equal(true);
        }
      }),
    );
  });

  it('of keys that are removed are forgotten with the commit, and kept where it failed', () => {
    const changes = new TableChanges(0);
    changes.put('k', 1);
    changes.committed();
    changes.remove('k', 2);
    changes.rolledBack();
    // The number is that of the next commit, which does not remove it.
    changes.put('other', 2);
    changes.committed();
    expect(changes.since(0, '')).to.have.members(['k', 'other']);
    changes.remove('k', 3);
    changes.put('k', 3);
    changes.committed();
    expect(changes.since(2, '')).to.deep.equal(['k']);
    changes.remove('k', 4);
    expect(changes.since(3, '')).to.deep.equal(['k']);
    changes.committed();
    expect(changes.since(0, '')).to.deep.equal(['other']);
  });
});
