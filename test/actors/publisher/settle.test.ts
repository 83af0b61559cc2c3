import fs from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { settleFile } from '../../../src/actors/publisher/settle.ts';
import { cannotRun } from '../../support/cannot-run.ts';
import { csv, type Outcome, Workshop } from './ingest-run.ts';

describe('settling of files', () => {
  let shop: Workshop;
  let moved: string;

  beforeEach(() => {
    shop = new Workshop();
    moved = path.join(shop.folder, 'moved');
  });

  afterEach(() => {
    shop.remove();
  });

  const move = (name: string): Promise<string> =>
    settleFile(shop.input, name, { kind: 'move', directory: moved });

  describe('the step on the disk', () => {
    it('keeps, deletes, or moves with the subfolders kept', async () => {
      shop.put('a.csv', 'a');
      shop.put('sub/er/b.csv', 'b');
      expect(await settleFile(shop.input, 'a.csv', { kind: 'keep' })).to.equal('kept');
      expect(fs.existsSync(shop.at('a.csv'))).to.equal(true);
      await settleFile(shop.input, 'a.csv', { kind: 'delete' });
      expect(fs.existsSync(shop.at('a.csv'))).to.equal(false);
      expect(await move('sub/er/b.csv')).to.equal(`moved to ${path.join(moved, 'sub/er/b.csv')}`);
      expect(fs.readFileSync(path.join(moved, 'sub/er/b.csv'), 'utf8')).to.equal('b');
      expect(fs.existsSync(shop.at('sub/er/b.csv'))).to.equal(false);
    });

    it('a move never overwrites', async () => {
      for (const content of ['first', 'second', 'third']) {
        shop.put('a.csv', content);
        await move('a.csv');
      }
      const found = fs
        .readdirSync(moved)
        .map((name) => [name, fs.readFileSync(path.join(moved, name), 'utf8')]);
      expect(found).to.have.deep.members([
        ['a.csv', 'first'],
        ['a.1.csv', 'second'],
        ['a.2.csv', 'third'],
      ]);
    });

    it('a move that was ended between its two steps is finished, not done twice', async () => {
      shop.put('a.csv', 'a');
      fs.mkdirSync(moved);
      fs.linkSync(shop.at('a.csv'), path.join(moved, 'a.csv'));
      await move('a.csv');
      expect(fs.readdirSync(moved)).to.deep.equal(['a.csv']);
      expect(fs.existsSync(shop.at('a.csv'))).to.equal(false);
    });

    it('to another file system it copies, whole or not at all, and never overwrites', async function () {
      const elsewhere = '/dev/shm';
      if (!fs.existsSync(elsewhere) || fs.statSync(elsewhere).dev === fs.statSync(shop.input).dev) {
        cannotRun(this, `no other file system at ${elsewhere}`);
      }
      moved = fs.mkdtempSync(path.join(elsewhere, 'geoflock-move-'));
      try {
        for (const content of ['first', 'second']) {
          shop.put('a.csv', content);
          await move('a.csv');
        }
        const found = fs
          .readdirSync(moved)
          .map((name) => [name, fs.readFileSync(path.join(moved, name), 'utf8')]);
        expect(found).to.have.deep.members([
          ['a.csv', 'first'],
          ['a.1.csv', 'second'],
        ]);
        expect(fs.existsSync(shop.at('a.csv'))).to.equal(false);
      } finally {
        fs.rmSync(moved, { recursive: true });
      }
    });
  });

  describe('in the pipeline', () => {
    function expectCounted({ model, totals }: Outcome, files: number, rows: number): void {
      expect(totals.files).to.deep.equal({ done: files, failed: 0 });
      expect(totals.rows).to.deep.equal({ read: rows, counted: rows, rejected: 0 });
      expect(model.weight).to.equal(rows);
    }

    const move = (): Readonly<Record<string, string>> => ({ 'input.after': 'move', 'input.moveTo': moved });
    const policies: readonly (readonly [string, () => Readonly<Record<string, string>>])[] = [
      ['deleted', () => ({ 'input.after': 'delete' })],
      ['moved', move],
    ];
    for (const [what, settings] of policies) {
      it(`a path that reappears after it was ${what} is a new file, also with the same content`, async () => {
        shop.put('sub/a.csv', csv(10));
        shop.put('empty.csv', '');
        expectCounted(await shop.once({ settings: settings() }), 2, 10);
        expect(fs.readdirSync(shop.input, { recursive: true })).to.deep.equal(['sub']);
        shop.put('sub/a.csv', csv(10));
        const second = await shop.once({ settings: settings() });
        expectCounted(second, 3, 20);
        expect(second.entries.get('sub/a.csv')).to.include({ state: 'settled', generation: 1 });
        if (what === 'moved') {
          expect(fs.readdirSync(path.join(moved, 'sub')).sort()).to.deep.equal(['a.1.csv', 'a.csv']);
        }
      });
    }

    /** Ends the process, as far as the ledger can tell, after the n-th commit of the publisher. */
    async function endAfterCommit(n: number, meanwhile: () => void): Promise<void> {
      let reached = (): void => undefined;
      const ended = new Promise<void>((resolve) => {
        reached = resolve;
      });
      const run = await shop.start({
        settings: { 'input.after': 'delete' },
        afterCommit: (commits) => {
          if (commits === n) {
            reached();
          }
          // A commit that fails its writer: nothing follows it.
          return commits >= n ? Promise.reject(new Error('ended here')) : undefined;
        },
      });
      await ended;
      await run.stop().catch(() => undefined);
      meanwhile();
    }

    it('ended between the last commit and the deletion: deleted at the next start, counted once', async () => {
      shop.put('a.csv', csv(10));
      await endAfterCommit(2, () => undefined);
      expect(fs.existsSync(shop.at('a.csv'))).to.equal(true);
      const outcome = await shop.once({ settings: { 'input.after': 'delete' } });
      expectCounted(outcome, 1, 10);
      expect(fs.existsSync(shop.at('a.csv'))).to.equal(false);
      expect(outcome.entries.get('a.csv')?.state).to.equal('settled');
    });

    it('ended between the deletion and its record: what comes to the path then is a new file', async () => {
      shop.put('a.csv', csv(10));
      await endAfterCommit(3, () => {
        fs.unlinkSync(shop.at('a.csv'));
      });
      const run = await shop.start({ settings: { 'input.after': 'delete' } });
      try {
        const first = await run.sweep();
        expectCounted(first, 1, 10);
        expect(first.entries.get('a.csv')?.state).to.equal('settled');
        shop.put('a.csv', csv(10));
        expectCounted(await run.sweep(), 2, 20);
      } finally {
        await run.stop();
      }
    });

    it('ended there, and put again before the next start: a new file', async () => {
      shop.put('a.csv', csv(10));
      await endAfterCommit(3, () => {
        shop.put('a.csv', csv(10), 30_000);
      });
      expectCounted(await shop.once({ settings: { 'input.after': 'delete' } }), 2, 20);
    });

    for (const [what, change, rows] of [
      [
        'appended to',
        (name: string): void => {
          fs.appendFileSync(name, csv(13).slice(csv(10).length));
        },
        13,
      ],
      [
        'replaced',
        (name: string): void => {
          fs.writeFileSync(`${name}.new`, csv(3, 50));
          fs.renameSync(`${name}.new`, name);
        },
        13,
      ],
    ] as const) {
      it(`${what} after the last commit, before the deletion: not deleted before it is read`, async () => {
        shop.put('a.csv', csv(10));
        const outcome = await shop.once({
          settings: { 'input.after': 'delete', 'input.minimumAge': '100ms' },
          afterCommit: (commits) => {
            // The claim, the rows, and that the deletion begins.
            if (commits === 3) {
              change(shop.at('a.csv'));
            }
          },
        });
        expect(outcome.totals.rows).to.deep.equal({ read: rows, counted: rows, rejected: 0 });
        expect(fs.existsSync(shop.at('a.csv'))).to.equal(false);
      });
    }
  });
});
