import fs from 'node:fs';
import { expect } from 'chai';
import { until } from '../pipeline/support.ts';
import { csv, HEADER, type Outcome, row, rows, type Run, type RunSettings, Workshop } from './ingest-run.ts';

/** Small steps: a file of a few thousand rows takes many transactions. */
const SMALL_STEPS = {
  'source.maxLineBytes': '1KiB',
  'publisher.transactionBytes': '8KiB',
} as const;
const ROWS = 1_000;

describe('files that change', () => {
  let shop: Workshop;

  beforeEach(() => {
    shop = new Workshop();
  });

  afterEach(() => {
    shop.remove();
  });

  /** What must hold after whatever happened. */
  function expectAccounted({ model, totals }: Outcome): void {
    expect(totals.rows.read).to.equal(totals.rows.counted + totals.rows.rejected);
    expect(model.weight).to.equal(totals.rows.counted);
  }

  /** Reads `a.csv` of 1,000 rows; `change` happens after its third commit: one claim, two steps. */
  async function changeWhileRead(change: () => void, more: RunSettings = {}): Promise<Outcome> {
    shop.put('a.csv', csv(ROWS));
    const starting: Promise<Run> = shop.start({
      settings: { ...SMALL_STEPS, 'input.minimumAge': '200ms', 'input.scanEvery': '50ms', ...more.settings },
      afterCommit: async (commits) => {
        if (commits === 3) {
          const { fileWatcher } = (await starting).pipeline.topology.stats;
          // By then the watcher knows that the file belongs to the sweep.
          const { scans } = fileWatcher;
          await until('the folder is listed for the sweep', () => fileWatcher.scans > scans + 1);
          change();
        }
      },
    });
    const run = await starting;
    try {
      const outcome = await run.sweep();
      expectAccounted(outcome);
      return outcome;
    } finally {
      await run.stop();
    }
  }

  describe('after they were read to their end', () => {
    for (const [what, count] of [
      ['few rows', 10],
      ['more than a fingerprint', 2_000],
    ] as const) {
      it(`only what was appended is read, after ${what}`, async () => {
        shop.put('a.csv', csv(count));
        await shop.once();
        fs.appendFileSync(shop.at('a.csv'), `${rows(5, count)}bad\n`);
        shop.age('a.csv', 30_000);
        const outcome = await shop.once();
        expectAccounted(outcome);
        expect(outcome.totals.files).to.deep.equal({ done: 1, failed: 0 });
        expect(outcome.totals.rows).to.deep.equal({ read: count + 6, counted: count + 5, rejected: 1 });
        expect(outcome.rejected[0]?.file?.line).to.equal(count + 7);
      });
    }

    it('a last line without its end is continued by what is appended', async () => {
      shop.put('ended.csv', `${csv(1)}${row(1)}`);
      shop.put('ended crlf.csv', `${csv(1)}${row(1)}\r`);
      shop.put('continued.csv', `${csv(1)}${row(1)}`);
      shop.put('header.csv', HEADER);
      shop.put('half a header.csv', `${HEADER},ex`);
      await shop.once();
      fs.appendFileSync(shop.at('ended.csv'), `\n${row(2)}\nbad`);
      fs.appendFileSync(shop.at('ended crlf.csv'), `\n${row(2)}\nbad\n`);
      fs.appendFileSync(shop.at('continued.csv'), `23,4\n${row(2)}\n`);
      fs.appendFileSync(shop.at('header.csv'), `\n${row(2)}\nbad\n`);
      fs.appendFileSync(shop.at('half a header.csv'), `tra\n${row(2)},e\n`);
      for (const name of fs.readdirSync(shop.input)) {
        shop.age(name, 30_000);
      }
      const outcome = await shop.once();
      expectAccounted(outcome);
      expect(
        outcome.rejected.map(({ file, reason, row: { text } }) => [
          file?.path,
          reason,
          file?.line,
          file?.byte,
          text,
        ]),
      ).to.have.deep.members([
        ['ended.csv', 'column-count', 5, csv(3).length, 'bad'],
        ['ended crlf.csv', 'column-count', 5, csv(3).length + 1, 'bad'],
        ['continued.csv', 'cut-line', 3, csv(2).length - 1, '23,4'],
        ['header.csv', 'column-count', 3, HEADER.length + row(2).length + 2, 'bad'],
        ['half a header.csv', 'cut-line', 1, HEADER.length + 3, 'tra'],
      ]);
      expect(outcome.totals.files).to.deep.equal({ done: 5, failed: 0 });
      expect(outcome.totals.rows.counted).to.equal(3 + 3 + 3 + 1 + 1);
    });

    it('another modification time alone changes nothing', async () => {
      shop.put('a.csv', csv(10));
      await shop.once();
      shop.age('a.csv', 5_000);
      const { totals } = await shop.once();
      expect(totals.rows.read).to.equal(10);
      expect(totals.files.done).to.equal(1);
    });

    it('nor does it when files are to be deleted from now on', async () => {
      shop.put('a.csv', csv(10));
      await shop.once();
      shop.age('a.csv', 5_000);
      const { entries, totals } = await shop.once({ settings: { 'input.after': 'delete' } });
      expect(totals.rows.read).to.equal(10);
      expect(entries.get('a.csv')?.state).to.equal('settled');
      expect(fs.existsSync(shop.at('a.csv'))).to.equal(false);
    });

    for (const [what, content] of [
      ['shorter', csv(4)],
      ['of another beginning', csv(10, 100)],
      ['of another end', `${csv(9)}${row(77)}\n`],
    ] as const) {
      it(`another content, ${what}, is a new file; the rows of the old one stay counted`, async () => {
        shop.put('a.csv', csv(10));
        await shop.once();
        shop.put('a.csv', content, 30_000);
        const outcome = await shop.once();
        expectAccounted(outcome);
        const count = content.split('\n').length - 2;
        expect(outcome.totals.rows.counted).to.equal(10 + count);
        expect(outcome.totals.files).to.deep.equal({ done: 2, failed: 0 });
        expect(outcome.closed.map(({ read, state }) => ({ read, state }))).to.deep.equal([
          { read: 10, state: 'changed' },
        ]);
        expect(outcome.entries.get('a.csv')).to.include({ state: 'done', read: count, generation: 1 });
        expect(outcome.messages.some(({ text }) => text.includes('stays counted'))).to.equal(true);
      });
    }
  });

  describe('while they are read', () => {
    it('grown: all of it is read', async () => {
      const outcome = await changeWhileRead(() => {
        fs.appendFileSync(shop.at('a.csv'), rows(500, ROWS));
      });
      expect(outcome.totals.rows.counted).to.equal(1_500);
      expect(outcome.totals.files).to.deep.equal({ done: 1, failed: 0 });
    });

    it('grown by half a line: the line is read when it has come to rest, whole', async () => {
      const half = row(ROWS).slice(0, -8);
      let continued = false;
      const outcome = await shopWithLog(
        () => {
          fs.appendFileSync(shop.at('a.csv'), half);
        },
        (text) => {
          if (text.startsWith('still being written') && !continued) {
            continued = true;
            fs.appendFileSync(shop.at('a.csv'), `${row(ROWS).slice(-8)}\n`);
          }
        },
      );
      expect(continued).to.equal(true);
      expect(outcome.totals.rows).to.deep.equal({ read: ROWS + 1, counted: ROWS + 1, rejected: 0 });
      expect(outcome.totals.files).to.deep.equal({ done: 1, failed: 0 });
    });

    it('grown by a last line that stays without an end: it is read once it rests', async () => {
      const outcome = await changeWhileRead(() => {
        fs.appendFileSync(shop.at('a.csv'), row(ROWS));
      });
      expect(outcome.totals.rows).to.deep.equal({ read: ROWS + 1, counted: ROWS + 1, rejected: 0 });
      expect(outcome.entries.get('a.csv')?.state).to.equal('done');
    });

    it('vanished: it failed, named, and what was committed stays counted', async () => {
      shop.put('b.csv', csv(7), 1_000);
      const outcome = await changeWhileRead(() => {
        fs.unlinkSync(shop.at('a.csv'));
      });
      const entry = outcome.entries.get('a.csv');
      expect(entry?.state).to.equal('failed');
      expect(entry?.read).to.be.within(1, ROWS - 1);
      expect(entry?.problem).to.match(/^it vanished while it was read, at byte \d+ of \d+$/);
      expect(outcome.totals.files).to.deep.equal({ done: 1, failed: 1 });
      expect(outcome.totals.rows.counted).to.equal((entry?.read ?? 0) + 7);
      expect(outcome.filesFailed).to.equal(1);
    });

    it('vanished and back, as it was: it goes on, also in the same process', async () => {
      const away = `${shop.folder}/away`;
      shop.put('a.csv', csv(ROWS));
      const run = await shop.start({
        settings: { ...SMALL_STEPS, 'input.scanEvery': '50ms' },
        afterCommit: (commits) => {
          if (commits === 3) {
            fs.renameSync(shop.at('a.csv'), away);
          }
        },
      });
      try {
        const first = await run.sweep();
        expect(first.totals.files).to.deep.equal({ done: 0, failed: 1 });
        fs.renameSync(away, shop.at('a.csv'));
        const second = await run.sweep();
        expect(second.totals.files).to.deep.equal({ done: 1, failed: 0 });
        expect(second.totals.rows).to.deep.equal({ read: ROWS, counted: ROWS, rejected: 0 });
      } finally {
        await run.stop();
      }
    });

    const replacements: readonly (readonly [string, string, () => void])[] = [
      [
        'another file renamed over it',
        'another file stands at its path',
        () => {
          fs.writeFileSync(`${shop.folder}/other`, csv(300, 5_000));
          fs.renameSync(`${shop.folder}/other`, shop.at('a.csv'));
        },
      ],
      [
        'truncated and rewritten, shorter',
        'it shrank to',
        () => {
          fs.writeFileSync(shop.at('a.csv'), csv(20, 5_000));
        },
      ],
      [
        'rewritten with other rows of the same size',
        'its beginning is another',
        () => {
          fs.writeFileSync(shop.at('a.csv'), csv(ROWS).replaceAll('device', 'DEVICE'));
        },
      ],
    ];
    for (const [what, how, change] of replacements) {
      it(`${what}: what was committed stays counted, the new content is a new file of the same run`, async () => {
        const outcome = await changeWhileRead(change);
        const content = fs.readFileSync(shop.at('a.csv'), 'utf8').split('\n').length - 2;
        const [closed] = outcome.closed;
        expect(closed?.state).to.equal('changed');
        expect(closed?.problem).to.contain(how);
        expect(closed?.read).to.be.within(1, ROWS - 1);
        expect(outcome.entries.get('a.csv')).to.include({ state: 'done', read: content, generation: 1 });
        expect(outcome.totals.rows.counted).to.equal((closed?.read ?? 0) + content);
        expect(outcome.totals.files).to.deep.equal({ done: 1, failed: 0 });
        expect(outcome.filesFailed).to.equal(0);
      });
    }

    it('cut: what is left is a new file', async () => {
      const left = csv(40).length;
      const outcome = await changeWhileRead(() => {
        fs.truncateSync(shop.at('a.csv'), left);
      });
      expect(outcome.closed[0]?.problem).to.contain(`it shrank to ${String(left)} bytes`);
      expect(outcome.totals.rows.counted).to.equal((outcome.closed[0]?.read ?? 0) + 40);
    });

    async function shopWithLog(change: () => void, onText: (text: string) => void): Promise<Outcome> {
      shop.put('a.csv', csv(ROWS));
      const outcome = await shop.once({
        settings: { ...SMALL_STEPS, 'input.minimumAge': '200ms' },
        afterCommit: (commits) => {
          if (commits === 3) {
            change();
          }
        },
        onLog: ({ text }) => {
          onText(text);
        },
      });
      expectAccounted(outcome);
      return outcome;
    }
  });

  describe('between runs', () => {
    async function stopMidway(settings: Readonly<Record<string, string>> = {}): Promise<number> {
      shop.put('a.csv', csv(ROWS));
      let stop = (): void => undefined;
      const midway = new Promise<void>((resolve) => {
        stop = resolve;
      });
      let letGoOn = (): void => undefined;
      const stopping = new Promise<void>((resolve) => {
        letGoOn = resolve;
      });
      const run = await shop.start({
        settings: { ...SMALL_STEPS, ...settings },
        afterCommit: async (commits) => {
          if (commits === 3) {
            stop();
            await stopping;
          }
        },
      });
      await midway;
      const stopped = run.stop();
      await until('the publisher is told to stop', () =>
        run.pipeline.actors().some(({ path, state }) => path === 'ingest/publisher' && state === 'stopping'),
      );
      letGoOn();
      await stopped;
      return ROWS;
    }

    it('half read and gone at the next start: it failed', async () => {
      await stopMidway();
      fs.unlinkSync(shop.at('a.csv'));
      const outcome = await shop.once();
      expectAccounted(outcome);
      expect(outcome.totals.files).to.deep.equal({ done: 0, failed: 1 });
      expect(outcome.entries.get('a.csv')?.problem).to.contain('vanished');
      expect(outcome.filesFailed).to.equal(1);
    });

    it('half read: it goes on before files that are older', async () => {
      await stopMidway();
      shop.put('older.csv', csv(3), 3_600_000);
      const outcome = await shop.once();
      expect(outcome.totals.rows.counted).to.equal(ROWS + 3);
      const read = outcome.messages
        .filter(({ text }) => text === 'read to its end')
        .map(({ fields }) => fields['file']);
      expect(read).to.deep.equal(['a.csv', 'older.csv']);
    });
  });

  describe('that do not come to rest', () => {
    function appendSlowly(name: string, everyMs: number): () => void {
      let n = 10_000;
      const timer = setInterval(() => {
        fs.appendFileSync(shop.at(name), `${row(n++)}\n`);
      }, everyMs);
      return () => {
        clearInterval(timer);
      };
    }

    it('are not taken early, and fail after the settle timeout while the others are read', async () => {
      shop.put('slow.csv', csv(5), 0);
      shop.put('good.csv', csv(5));
      const stop = appendSlowly('slow.csv', 60);
      try {
        const outcome = await shop.once({
          settings: { 'input.minimumAge': '1500ms' },
          settleTimeoutMs: 3_000,
        });
        expect(outcome.entries.get('slow.csv')).to.include({ state: 'failed', read: 0 });
        expect(outcome.entries.get('slow.csv')?.problem).to.equal(
          'still changing when the settle timeout ended',
        );
        expect(outcome.totals.files).to.deep.equal({ done: 1, failed: 1 });
        expect(outcome.filesFailed).to.equal(1);
      } finally {
        stop();
      }
      shop.age('slow.csv');
      const { totals } = await shop.once();
      expect(totals.files).to.deep.equal({ done: 2, failed: 0 });
      expect(totals.rows.counted).to.equal(
        10 + fs.readFileSync(shop.at('slow.csv'), 'utf8').split('\n').length - 7,
      );
    });

    it('fail too when they were done before and grow now; later they go on', async () => {
      shop.put('slow.csv', csv(5));
      await shop.once();
      const stop = appendSlowly('slow.csv', 60);
      try {
        await until('it has grown', () => fs.statSync(shop.at('slow.csv')).size > csv(5).length);
        const outcome = await shop.once({
          settings: { 'input.minimumAge': '1500ms' },
          settleTimeoutMs: 3_000,
        });
        expect(outcome.totals.files).to.deep.equal({ done: 0, failed: 1 });
        expect(outcome.totals.rows.counted).to.equal(5);
        expect(outcome.filesFailed).to.equal(1);
      } finally {
        stop();
      }
      shop.age('slow.csv');
      const { totals } = await shop.once();
      expect(totals.files).to.deep.equal({ done: 1, failed: 0 });
      expect(totals.rows.counted).to.equal(
        fs.readFileSync(shop.at('slow.csv'), 'utf8').split('\n').length - 2,
      );
    });

    it('are not claimed while they are rewritten after they were found', async () => {
      shop.put('a.csv', csv(5), 9_000);
      shop.put('b.csv', csv(5), 8_000);
      const outcome = await shop.once({
        settings: { 'input.minimumAge': '1500ms' },
        afterCommit: async (commits) => {
          if (commits === 1) {
            // Both have been found. A writer begins anew, and is halfway through the header.
            await new Promise((resolve) => setTimeout(resolve, 100));
            fs.writeFileSync(shop.at('b.csv'), HEADER.slice(0, 20));
            setTimeout(() => {
              fs.appendFileSync(shop.at('b.csv'), csv(7).slice(20));
            }, 150);
          }
        },
      });
      expect(outcome.filesFailed).to.equal(0);
      expect(outcome.totals.files).to.deep.equal({ done: 2, failed: 0 });
      expect(outcome.totals.rows).to.deep.equal({ read: 12, counted: 12, rejected: 0 });
    });

    it('a young file is taken once it has rested for the minimum age', async () => {
      shop.put('young.csv', csv(5), 0);
      const begun = performance.now();
      const { totals } = await shop.once({ settings: { 'input.minimumAge': '400ms' } });
      expect(totals.rows.counted).to.equal(5);
      expect(performance.now() - begun).to.be.above(390);
    });
  });
});
