import fs from 'node:fs';
import { expect } from 'chai';
import { ForeignFiles } from '../../../src/actors/file-watcher/foreign-files.ts';
import type { FileState, LedgerEntry } from '../../../src/actors/ingest/ledger.ts';
import type { LedgerStore } from '../../../src/actors/ingest/ledger-store.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { RecordedLog } from '../pipeline/support.ts';
import { Workshop } from '../publisher/ingest-run.ts';

const NEVER = new AbortController().signal;
const SETTLE_TIMEOUT_MS = 10_000;
const MINIMUM_AGE_MS = 1_000;

describe("other replicas' files", () => {
  let shop: Workshop;
  let clock: SimulatedClock;
  let log: RecordedLog;
  let committed: Map<string, LedgerEntry>;
  let known: Map<string, LedgerEntry>;
  let files: ForeignFiles;
  let outageMs: number;

  function watch(settles: boolean): void {
    const ledger = {
      partitions: 1,
      partitionOf: () => 0,
      entry: (path: string) => Promise.resolve(known.get(path)),
      // What others commit is seen only then.
      refresh: async () => {
        clock.jump(outageMs);
        known = new Map(committed);
        await Promise.resolve();
      },
    } as unknown as LedgerStore;
    const rules = () => ({ settles, retryFailedBefore: 0 });
    const settings = { directory: shop.input, minimumAgeMs: MINIMUM_AGE_MS };
    files = new ForeignFiles({ settings, ledger, rules, clock, log });
  }

  beforeEach(() => {
    shop = new Workshop();
    clock = new SimulatedClock();
    log = new RecordedLog();
    committed = new Map();
    known = new Map();
    outageMs = 0;
    watch(false);
  });

  afterEach(() => {
    shop.remove();
  });

  function entry(state: FileState, changes: Partial<LedgerEntry> = {}): void {
    const stat = fs.statSync(shop.at('a.csv'), { throwIfNoEntry: false });
    const { mtimeMs, size } = stat ?? { mtimeMs: 0, size: 0 };
    committed.set('a.csv', { path: 'a.csv', state, size, mtimeMs, ...changes } as LedgerEntry);
  }

  async function state(): Promise<string> {
    await files.refresh(['a.csv'], NEVER);
    return await files.stateOf('a.csv', SETTLE_TIMEOUT_MS);
  }

  describe('a sweep waits for one', () => {
    it('that nobody has begun, and that is being read, there or not', async () => {
      shop.put('a.csv', 'x\n');
      expect(await state()).to.equal('open');
      entry('reading');
      expect(await state()).to.equal('open');
      fs.rmSync(shop.at('a.csv'));
      expect(await state()).to.equal('open');
    });

    it('until it is done as it is now, and deleted or moved where that is to be', async () => {
      shop.put('a.csv', 'x\n');
      entry('done');
      expect(await state()).to.equal('through');
      entry('done', { size: 1 });
      expect(await state(), 'grown').to.equal('open');
      watch(true);
      entry('done');
      expect(await state(), 'not deleted yet').to.equal('open');
      entry('done', { settling: true });
      expect(await state(), 'being deleted').to.equal('open');
      entry('done', { settling: false });
      expect(await state(), 'could not be deleted').to.equal('through');
      fs.rmSync(shop.at('a.csv'));
      entry('done', { settling: true });
      expect(await state(), 'deleted, not said yet').to.equal('open');
      entry('settled');
      expect(await state()).to.equal('through');
    });

    it('until it has failed as it is now', async () => {
      shop.put('a.csv', 'x\n');
      entry('failed');
      expect(await state()).to.equal('failed');
      entry('failed', { mtimeMs: -1, size: 0 });
      expect(await state(), 'could not be looked at').to.equal('failed');
      entry('failed', { size: 1 });
      expect(await state(), 'changed since').to.equal('open');
    });

    it('no longer when it is gone before anybody has begun it', async () => {
      expect(await state()).to.equal('through');
    });

    it('for the settle timeout when it does not come to rest', async () => {
      shop.put('a.csv', 'x\n', 0);
      for (let second = 0; second < 10; second++) {
        expect(await state(), `after ${String(second)} s`).to.equal('open');
        await clock.advance(1_000);
        fs.appendFileSync(shop.at('a.csv'), 'y\n');
      }
      await clock.advance(1_000);
      fs.appendFileSync(shop.at('a.csv'), 'y\n');
      expect(await state()).to.equal('failed');
      expect(log.messages('error')).to.have.lengthOf(1);
    });

    it('as long as it takes when it rests: its owner has other files first', async () => {
      shop.put('a.csv', 'x\n');
      for (let minute = 0; minute < 60; minute++) {
        expect(await state()).to.equal('open');
        await clock.advance(60_000);
      }
    });
  });

  describe('one that nobody begins for a minute', () => {
    const tell = (): Promise<void> => files.tellOfUnclaimed(() => true, NEVER);

    it('is told about once, with the remedy', async () => {
      shop.put('a.csv', 'x\n');
      await files.seen('a.csv', NEVER);
      await clock.advance(59_000);
      await tell();
      expect(log.lines).to.deep.equal([]);
      await clock.advance(1_000);
      await tell();
      shop.put('b.csv', 'x\n');
      await files.seen('b.csv', NEVER);
      await clock.advance(120_000);
      await tell();
      expect(
        log.lines.map(({ fields, level }) => ({ level, file: 'file' in fields && fields.file })),
      ).to.deep.equal([{ level: 'warn', file: 'a.csv' }]);
      expect(log.messages('warn')[0]).to.include('ingest.ownership');
    });

    it('is not told about when it was claimed meanwhile, though that was not known here', async () => {
      shop.put('a.csv', 'x\n');
      await files.seen('a.csv', NEVER);
      entry('reading');
      await clock.advance(60_000);
      await tell();
      expect(log.lines).to.deep.equal([]);
    });

    it('is not told about after the broker was away: nobody could claim it', async () => {
      shop.put('a.csv', 'x\n');
      await files.seen('a.csv', NEVER);
      await clock.advance(60_000);
      outageMs = 30_000;
      await tell();
      expect(log.lines).to.deep.equal([]);
      outageMs = 0;
      await files.seen('a.csv', NEVER);
      await clock.advance(60_000);
      await tell();
      expect(log.lines).to.have.lengthOf(1);
    });

    it('is not told about when it is gone, or has become ours', async () => {
      await files.seen('gone.csv', NEVER);
      shop.put('a.csv', 'x\n');
      await files.seen('a.csv', NEVER);
      await clock.advance(60_000);
      await files.tellOfUnclaimed((path) => path !== 'a.csv', NEVER);
      expect(log.lines).to.deep.equal([]);
    });
  });
});
