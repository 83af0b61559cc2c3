import fs from 'node:fs';
import { expect } from 'chai';
import { FileWatcherTask } from '../../../src/actors/file-watcher/file-watcher-task.ts';
import type { FileWatcherMessage } from '../../../src/actors/file-watcher/messages.ts';
import { type LedgerEntry, NO_FILES } from '../../../src/actors/ingest/ledger.ts';
import type { FileOutcome, PublisherMessage } from '../../../src/actors/publisher/messages.ts';
import { StandingRequests } from '../../../src/actors/standing-requests.ts';
import { emptyStats } from '../../../src/actors/stats.ts';
import { type ActorContext, addressOf } from '../../../src/system/actor.ts';
import { ByteBudget } from '../../../src/system/budget.ts';
import { systemClock } from '../../../src/system/clock.ts';
import { Connection } from '../../../src/system/connection.ts';
import { Gate } from '../../../src/system/gate.ts';
import { silentLogger } from '../../../src/system/logger.ts';
import { Workshop } from '../publisher/ingest-run.ts';

/** By hand: GEOFLOCK_TEST_FILES=100000, with the default of candidates held; prints time and memory. */
const byHand = process.env['GEOFLOCK_TEST_FILES'];
const FILES = Number(byHand ?? 300);
const HELD = 40;
const CREDIT = 8;
const MINIMUM_AGE_MS = 250;

/** The watcher's loop against a publisher that answers as it is told to. */
class Scene {
  readonly shop = new Workshop();
  readonly stats = emptyStats(1).fileWatcher;
  readonly offered: string[] = [];
  readonly #known = new Map<string, LedgerEntry>();
  readonly #stop = new AbortController();
  readonly #task: FileWatcherTask;
  readonly #running: Promise<void>;
  mostInFlight = 0;
  clockReads = 0;
  /** Called before the ledger answers. */
  onLookUp: (path: string) => void | Promise<void> = () => undefined;
  #inFlight = 0;

  constructor(
    answer: (path: string, times: number) => { outcome: FileOutcome; afterMs: number | Promise<void> },
  ) {
    const times = new Map<string, number>();
    const tell = (_to: unknown, message: PublisherMessage): boolean => {
      if (message.type === 'file') {
        const { path } = message.file;
        times.set(path, (times.get(path) ?? 0) + 1);
        this.offered.push(`${message.file.kind} ${path}`);
        this.mostInFlight = Math.max(this.mostInFlight, ++this.#inFlight);
        const { afterMs, outcome } = answer(path, times.get(path) ?? 0);
        const reply = (): void => {
          this.#inFlight--;
          if (outcome === 'through' && message.file.kind === 'settled') {
            this.#known.set(path, doneEntry(path, message.file));
          }
          message.handled(outcome);
        };
        if (typeof afterMs !== 'number') {
          void afterMs.then(reply);
        } else if (afterMs === 0) {
          setImmediate(reply);
        } else {
          setTimeout(reply, afterMs);
        }
      }
      return true;
    };
    const context = {
      clock: {
        ...systemClock,
        monotonic: () => {
          this.clockReads++;
          return systemClock.monotonic();
        },
      },
      log: silentLogger,
      tell,
    } as unknown as ActorContext<FileWatcherMessage>;
    this.#task = new FileWatcherTask(
      {
        settings: {
          directory: this.shop.input,
          filter: /^[^.].*\.csv$/,
          recursive: true,
          minimumAgeMs: MINIMUM_AGE_MS,
          scanEvery: 1_000,
          events: false,
        },
        ledger: {
          table: 'files',
          partitions: 1,
          totalsKey: 'totals',
          writerName: () => 'publisher-0',
          refresh: () => Promise.resolve(),
          partitionOf: () => 0,
          entry: async (path) => {
            await this.onLookUp(path);
            return this.#known.get(path);
          },
          totals: () => Promise.resolve(NO_FILES),
          unfinished: () => ({
            [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }),
          }),
        },
        ownership: { isOpen: () => true, settled: true },
        rules: () => ({ settles: false, retryFailedBefore: 0 }),
        gate: new Gate(),
        publisher: addressOf<PublisherMessage>('publisher'),
        connect: () =>
          new Connection({
            name: 'files',
            receiver: 'publisher',
            thresholds: { rows: byHand === undefined ? CREDIT : 1_024, bytes: 2 ** 20 },
            budget: new ByteBudget(2 ** 26),
          }),
        schedule: { every: () => ({ runs: 0, missed: 0, stop: () => undefined }) },
        requests: new StandingRequests(),
        stats: this.stats,
        ...(byHand === undefined ? { maxCandidates: HELD } : {}),
      },
      context,
    );
    this.#running = this.#task.run(this.#stop.signal);
  }

  sweep(settleTimeoutMs: number): Promise<void> {
    return new Promise((reply) => {
      this.#task.request({ type: 'sweep', settleTimeoutMs, reply });
    });
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#task.close();
    this.shop.remove();
  }
}

function doneEntry(path: string, { mtimeMs, size }: { size: number; mtimeMs: number }): LedgerEntry {
  const none = { length: 0, hash: '' };
  const counts = { byte: size, line: 0, read: 0, rejected: 0, unterminated: false, header: undefined };
  const file = { source: 'input', path, fileId: path, generation: 0, order: 0, size, mtimeMs };
  return { ...file, ...counts, state: 'done', head: none, tail: none, claimedAt: 0, changedAt: 0 };
}

describe('the file watcher, with many files', () => {
  let scene: Scene;

  afterEach(async () => {
    await scene.end();
  });

  it('offers each once, with bounded candidates and credit, and none fails for waiting long', async function () {
    this.timeout(600_000);
    const slow = byHand === undefined ? 2 : 0;
    scene = new Scene(() => ({ outcome: 'through', afterMs: slow }));
    const then = new Date(Date.now() - 60_000);
    for (let n = 0; n < FILES; n++) {
      const at = scene.shop.at(`${String(n)}.csv`);
      fs.writeFileSync(at, '');
      fs.utimesSync(at, then, then);
    }
    globalThis.gc?.();
    const before = process.memoryUsage();
    const begun = performance.now();
    // Far shorter than it takes to get through all of them.
    await scene.sweep(50);
    const seconds = (performance.now() - begun) / 1000;
    expect(scene.offered.length).to.equal(FILES);
    expect(new Set(scene.offered).size).to.equal(FILES);
    expect(scene.offered.every((one) => one.startsWith('settled '))).to.equal(true);
    if (byHand === undefined) {
      expect(scene.mostInFlight).to.equal(CREDIT);
      expect(scene.stats.waiting).to.be.at.most(HELD);
    } else {
      const after = process.memoryUsage();
      const mib = (of: 'rss' | 'heapUsed'): string =>
        `${((after[of] - before[of]) / 2 ** 20).toFixed(0)} MiB`;
      process.stdout.write(
        `${String(FILES)} files offered in ${seconds.toFixed(1)} s and ${String(scene.stats.scans)} scans; ` +
          `rss +${mib('rss')}, heap +${mib('heapUsed')}\n`,
      );
    }
  });

  it('what changed meanwhile is offered again, in the same sweep', async () => {
    scene = new Scene((path, times) => ({
      outcome: path === 'a.csv' && times < 3 ? 'again' : 'through',
      afterMs: 0,
    }));
    scene.shop.put('a.csv', 'a');
    scene.shop.put('b.csv', 'b');
    await scene.sweep(5_000);
    expect(scene.offered.filter((one) => one === 'settled a.csv').length).to.equal(3);
    expect(scene.offered.filter((one) => one === 'settled b.csv').length).to.equal(1);
  });

  it('the settle timeout begins when a file is found, not with the sweep', async () => {
    const timeoutMs = 8 * MINIMUM_AGE_MS;
    scene = new Scene((path, times) => {
      if (times > 1) {
        return { outcome: 'through', afterMs: 0 };
      }
      scene.shop.put(path, 'more');
      return { outcome: 'again', afterMs: timeoutMs + 50 };
    });
    scene.shop.put('a.csv', 'a');
    await scene.sweep(timeoutMs);
    expect(scene.offered).to.deep.equal(['settled a.csv', 'settled a.csv']);
  });

  it('what cannot be read now is left alone for a while, and holds no sweep up', async () => {
    scene = new Scene(() => ({ outcome: 'later', afterMs: 0 }));
    scene.shop.put('a.csv', 'a');
    for (let sweep = 0; sweep < 3; sweep++) {
      await scene.sweep(5_000);
    }
    expect(scene.offered).to.deep.equal(['settled a.csv']);
  });

  for (const outcome of ['later', 'through'] as const) {
    it(`an answer during the scan that lists for a sweep holds it up no longer: ${outcome}`, async () => {
      let answer: (() => void) | undefined;
      const offeredA = new Promise<void>((told) => {
        scene = new Scene((path) => {
          if (path === 'a.csv') {
            told();
            return { outcome, afterMs: new Promise((resolve) => (answer = resolve)) };
          }
          return { outcome: 'through', afterMs: 0 };
        });
      });
      scene.shop.put('a.csv', 'a');
      await offeredA;
      scene.shop.put('folder/b.csv', 'b');
      // The scan lists a folder after what is beside it: `a.csv` was seen, and is with the publisher.
      scene.onLookUp = async (path) => {
        if (path === 'folder/b.csv') {
          answer?.();
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      };
      await scene.sweep(5_000);
      expect(scene.offered).to.deep.equal(['settled a.csv', 'settled folder/b.csv']);
    });
  }

  it('with nothing to do it rests: it neither scans nor looks', async () => {
    scene = new Scene(() => ({ outcome: 'through', afterMs: 0 }));
    scene.shop.put('a.csv', 'a');
    await scene.sweep(5_000);
    const { scans } = scene.stats;
    const before = scene.clockReads;
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(scene.stats.scans - scans).to.be.at.most(1);
    // Each turn of its loop reads the clock; without a rest there are thousands.
    expect(scene.clockReads - before).to.be.below(40);
  });
});
