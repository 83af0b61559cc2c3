import { expect } from 'chai';
import type { Broker, TableMark } from '../../../src/broker/broker.ts';
import { entriesOf, NEVER, record, text } from '../helpers.ts';
import type { Scene } from './scene.ts';

const LARGE = 3 * 1024 * 1024;

export function tableTests(scene: Scene): void {
  describe('tables', () => {
    const entries = (partition: number, prefix?: string): Promise<[string, string | null][]> =>
      entriesOf(scene.broker, partition, prefix, scene.table);

    it('are restored as last committed: removals, prefixes, the order of keys', async () => {
      const writer = await scene.broker.openWriter('w');
      const first = writer.begin();
      // In bytes of UTF-8 the last two stand the other way round than in JavaScript's own order.
      for (const key of ['b/2', 'a', 'b/1', 'b', 'c', 'b0', 'é', '\u{1f30d}', '\uff5e']) {
        first.put(scene.table, 0, key, Buffer.from(key));
      }
      first.put(scene.table, 1, 'a', Buffer.from('other partition'));
      await first.commit();
      const second = writer.begin();
      second.put(scene.table, 0, 'a', null);
      second.put(scene.table, 0, 'never there', null);
      second.put(scene.table, 0, 'c', Buffer.from('old'));
      second.put(scene.table, 0, 'c', Buffer.from('new'));
      await second.commit();
      const expected = [
        ['b', 'b'],
        ['b/1', 'b/1'],
        ['b/2', 'b/2'],
        ['b0', 'b0'],
        ['c', 'new'],
        ['é', 'é'],
        ['\uff5e', '\uff5e'],
        ['\u{1f30d}', '\u{1f30d}'],
      ];
      expect(await entries(0)).to.deep.equal(expected);
      expect((await entries(0, 'b/')).map(([key]) => key)).to.deep.equal(['b/1', 'b/2']);
      expect(await entries(0, 'x')).to.deep.equal([]);
      await scene.reopen();
      await scene.broker.refreshTable(scene.table, 0);
      await scene.broker.refreshTable(scene.table, 1);
      expect(await entries(0)).to.deep.equal(expected);
      expect(await entries(1)).to.deep.equal([['a', 'other partition']]);
    });

    it('are told since a mark: what was put since, by whomever, and nothing of what was removed', async () => {
      const put = async (broker: Broker, writer: string, entries: Record<string, string | null>) => {
        const transaction = (await broker.openWriter(writer)).begin();
        for (const [key, value] of Object.entries(entries)) {
          transaction.put(scene.table, 0, key, value === null ? null : Buffer.from(value));
        }
        await transaction.commit();
      };
      const given = async (since: TableMark, prefix?: string): Promise<[string, Uint8Array][]> => {
        const entries: [string, Uint8Array][] = [];
        for await (const { key, value } of scene.broker.tableEntries(scene.table, 0, prefix, since)) {
          entries.push([key, value]);
        }
        return entries;
      };
      // When all are there: what comes later is not written over it.
      const textsOf = (entries: readonly [string, Uint8Array][]): unknown =>
        entries.map(([key, value]) => [key, text(value)]);
      const other = await scene.beside();
      await put(scene.broker, 'w', { 'k/1': 'one', 'k/2': 'two', 'k/3': 'three', other: 'of no prefix' });
      await put(other, 'x', { 'k/4': 'four' });
      await scene.broker.refreshTable(scene.table, 0);
      const first = await scene.broker.tableMark(scene.table, 0);
      expect(await given(first)).to.deep.equal([]);

      await put(scene.broker, 'w', { 'k/3': 'w'.repeat(LARGE), 'k/2': null, 'k/10': 'ten', other: 'again' });
      await put(other, 'x', { 'k/4': 'anew', 'k/0': 'nought' });
      await scene.broker.refreshTable(scene.table, 0);
      const second = await scene.broker.tableMark(scene.table, 0);
      const since = await given(first, 'k/');
      const expected = [
        ['k/0', 'nought'],
        ['k/10', 'ten'],
        ['k/3', 'w'.repeat(LARGE)],
        ['k/4', 'anew'],
      ];
      expect(textsOf(since)).to.deep.equal(expected);
      expect(await given(second)).to.deep.equal([]);

      await put(scene.broker, 'w', { 'k/10': 'later', 'k/2': 'back' });
      expect(textsOf(await given(second))).to.deep.equal([
        ['k/10', 'later'],
        ['k/2', 'back'],
      ]);
    });

    it('are told all where the mark is another’s', async () => {
      const transaction = (await scene.broker.openWriter('w')).begin();
      transaction.put(scene.table, 0, 'k', Buffer.from('value'));
      await transaction.commit();
      const old = await scene.broker.tableMark(scene.table, 0);
      const ofOther = await scene.broker.tableMark(scene.table, 1);
      await scene.reopen();
      await scene.broker.refreshTable(scene.table, 0);
      await scene.broker.tableMark(scene.table, 0);
      for (const mark of [old, ofOther]) {
        expect(await entriesOf(scene.broker, 0, undefined, scene.table, mark)).to.deep.equal([
          ['k', 'value'],
        ]);
      }
    });

    it('come to what is there when they are told from mark to mark, whatever is committed meanwhile', async () => {
      const writers = [await scene.broker.openWriter('w'), await (await scene.beside()).openWriter('x')];
      const told = new Map<string, string | null>();
      let mark: TableMark | undefined;
      const tell = async (): Promise<void> => {
        const next = await scene.broker.tableMark(scene.table, 0);
        for (const [key, value] of await entriesOf(scene.broker, 0, 'key', scene.table, mark)) {
          told.set(key, value);
        }
        mark = next;
      };
      const commits: Promise<unknown>[] = [];
      for (let round = 0; round < 60; round++) {
        // Those of one writer one after another, and neither waits for what is told.
        const before = commits[round - 2];
        const commit = async (): Promise<void> => {
          await before;
          const transaction = writers[round % 2]?.begin();
          for (let at = 0; at < 8; at++) {
            const key = `key ${String((round * 37 + at * 11) % 90)}`;
            transaction?.put(scene.table, 0, key, Buffer.from(`${String(round)}/${String(at)}`));
          }
          await transaction?.commit();
        };
        commits.push(commit());
        if (round % 7 === 3) {
          await scene.broker.refreshTable(scene.table, 0);
        }
        await tell();
      }
      await Promise.all(commits);
      await scene.broker.refreshTable(scene.table, 0);
      await tell();
      const sorted = [...told].sort(([a], [b]) => (a < b ? -1 : 1));
      expect(sorted).to.deep.equal(await entries(0));
      expect(sorted).to.have.length(90);
    });

    it('are restored after many updates and removals, by whichever writer', async () => {
      const model = new Map<string, string>();
      const writers = [await scene.broker.openWriter('w'), await (await scene.beside()).openWriter('x')];
      for (let round = 0; round < 40; round++) {
        const transaction = writers[round % 2]?.begin();
        for (let at = 0; at < 50; at++) {
          const key = `key ${String((round * 37 + at * 11) % 150)}`;
          if ((round + at) % 7 === 0) {
            model.delete(key);
            transaction?.put(scene.table, 0, key, null);
          } else {
            model.set(key, `${String(round)}/${String(at)}`);
            transaction?.put(scene.table, 0, key, Buffer.from(`${String(round)}/${String(at)}`));
          }
        }
        await transaction?.commit();
      }
      const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
      await scene.broker.refreshTable(scene.table, 0);
      expect(await entries(0)).to.deep.equal(expected);
      await scene.reopen();
      await scene.broker.refreshTable(scene.table, 0);
      expect(await entries(0)).to.deep.equal(expected);
    });

    it('keep an own later entry when what others committed before it is refreshed', async () => {
      const other = await scene.beside();
      const theirs = (await other.openWriter('x')).begin();
      theirs.put(scene.table, 0, 'k', Buffer.from('theirs'));
      theirs.put(scene.table, 0, 'removed', Buffer.from('theirs'));
      await theirs.commit();
      const mine = (await scene.broker.openWriter('w')).begin();
      mine.put(scene.table, 0, 'k', Buffer.from('mine'));
      mine.put(scene.table, 0, 'removed', null);
      await mine.commit();
      expect(text(await scene.broker.tableGet(scene.table, 0, 'k'))).to.equal('mine');
      for (const broker of [scene.broker, other]) {
        await broker.refreshTable(scene.table, 0);
        expect(await entriesOf(broker, 0, undefined, scene.table)).to.deep.equal([['k', 'mine']]);
      }
    });

    it('give bytes that are the caller’s own', async () => {
      const given = Buffer.from('value');
      const transaction = (await scene.broker.openWriter('w')).begin();
      transaction.put(scene.table, 0, 'k', given);
      await transaction.commit();
      given.fill(0);
      const got = await scene.broker.tableGet(scene.table, 0, 'k');
      expect(text(got)).to.equal('value');
      got?.fill(0);
      expect(text(await scene.broker.tableGet(scene.table, 0, 'k'))).to.equal('value');
    });

    it('hold keys of 1 KB, and tables and logs hold values of several MiB', async () => {
      const { broker, fixture, log, table } = scene;
      await fixture.allowRecordsOf?.(log, 2 * LARGE);
      await fixture.allowRecordsOf?.(table, 2 * LARGE);
      const large = new Uint8Array(LARGE).map((_, at) => (at * 31) & 255);
      const transaction = (await broker.openWriter('w')).begin();
      transaction.put(table, 0, 'k'.repeat(1024), large);
      transaction.append(log, 0, [record('before'), record(large), record('after')]);
      await transaction.commit();
      await scene.reopen();
      await scene.broker.refreshTable(table, 0);
      const got = await scene.broker.tableGet(table, 0, 'k'.repeat(1024));
      expect(Buffer.compare(got ?? Buffer.alloc(0), large)).to.equal(0);
      const reader = await scene.broker.openReader(log, 0, 0);
      const seen: (string | boolean | null)[] = [];
      while (seen.length < 3) {
        for (const one of await reader.read(1024, NEVER)) {
          seen.push(
            one.value?.byteLength === large.byteLength
              ? Buffer.compare(one.value, large) === 0
              : text(one.value),
          );
        }
      }
      expect(seen).to.deep.equal(['before', true, 'after']);
      await reader.close();
    });
  });
}
