import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { TopicSpec, Writer } from '../../../src/broker/broker.ts';
import type { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts';
import { BrokerFullError } from '../../../src/broker/errors.ts';
import { cannotRun } from '../../support/cannot-run.ts';
import { failure, record } from '../helpers.ts';
import { openAt, removeDirectory, temporaryDirectory } from '../fixtures.ts';

const MIB = 1024 * 1024;
const LOG: TopicSpec = { name: 'log', kind: 'log', partitions: 2, retention: { bytes: 0, ageMs: 3_600_000 } };
const TABLE: TopicSpec = { name: 'table', kind: 'table', partitions: 1 };
const VALUE = new Uint8Array(50_000).fill(7);

/** Appends a record of each number to both partitions and sets the table's entry to it, atomically. */
async function commitOne(writer: Writer, n: number): Promise<void> {
  const transaction = writer.begin();
  for (const partition of [0, 1]) {
    transaction.append('log', partition, [record(String(n)), record(VALUE)]);
  }
  transaction.put('table', 0, 'n', Buffer.from(String(n)));
  try {
    await (await transaction.commit()).flushed;
  } catch (error) {
    await transaction.abort();
    throw error;
  }
}

async function commitUntilFull(writer: Writer): Promise<{ committed: number; error: unknown }> {
  for (let n = 0; n < 10_000; n++) {
    const error = await failure(commitOne(writer, n));
    if (error !== undefined) {
      return { committed: n, error };
    }
  }
  throw new Error('never full');
}

async function expectWhole(broker: EmbeddedBroker, committed: number): Promise<void> {
  for (const partition of [0, 1]) {
    expect((await broker.offsets('log', partition)).end).to.equal(committed * 2);
  }
  expect(Buffer.from((await broker.tableGet('table', 0, 'n')) ?? []).toString()).to.equal(
    String(committed - 1),
  );
}

async function consumeAll(broker: EmbeddedBroker): Promise<void> {
  for (const partition of [0, 1]) {
    await broker.consumedUpTo('log', partition, (await broker.offsets('log', partition)).end);
  }
}

describe('a full embedded store', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await temporaryDirectory();
  });

  afterEach(async () => {
    await removeDirectory(directory);
  });

  it('at its ceiling refuses, writes nothing, stays below, and goes on after consumption', async () => {
    const mapBytes = 8 * MIB;
    let broker = await openAt(directory, { mapBytes });
    await broker.declareTopics([LOG, TABLE]);
    let writer = await broker.openWriter('w');
    const { committed, error } = await commitUntilFull(writer);
    expect(error).to.be.instanceOf(BrokerFullError);
    expect((error as Error).message)
      .to.contain(directory)
      .and.contain(String(mapBytes));
    expect(committed * 2 * VALUE.byteLength).to.be.greaterThan(mapBytes / 2);
    await expectWhole(broker, committed);

    // Full stays full, also over a restart.
    await broker.close();
    broker = await openAt(directory, { mapBytes });
    await broker.declareTopics([LOG, TABLE]);
    writer = await broker.openWriter('w');
    expect(await failure(commitOne(writer, committed))).to.be.instanceOf(BrokerFullError);
    await expectWhole(broker, committed);

    // The file is filled and freed several times over and stays below its ceiling.
    let n = committed;
    for (let round = 0; round < 4; round++) {
      await consumeAll(broker);
      const until = n + Math.floor(committed / 2);
      for (let retries = 0; n < until; ) {
        const refused = await failure(commitOne(writer, n));
        if (refused === undefined) {
          n++;
        } else {
          expect(refused).to.be.instanceOf(BrokerFullError);
          expect(retries++).to.be.lessThan(200);
          await new Promise((next) => setTimeout(next, 10));
        }
      }
      await expectWhole(broker, n);
    }
    expect(statSync(join(directory, 'data.mdb')).size).to.be.at.most(mapBytes);
    await broker.close();
  });

  it('lets a refused transaction be committed again once there is room', async () => {
    const broker = await openAt(directory, { mapBytes: 8 * MIB });
    await broker.declareTopics([LOG, TABLE]);
    const writer = await broker.openWriter('w');
    const { committed } = await commitUntilFull(writer);
    const transaction = writer.begin();
    transaction.append('log', 0, [record('again'), record(VALUE)]);
    expect(await failure(transaction.commit())).to.be.instanceOf(BrokerFullError);
    await consumeAll(broker);
    let error: unknown;
    for (let attempt = 0; attempt < 200; attempt++) {
      error = await failure(transaction.commit());
      if (error === undefined) {
        break;
      }
      await new Promise((next) => setTimeout(next, 10));
    }
    expect(error).to.equal(undefined);
    expect((await broker.offsets('log', 0)).end).to.equal(committed * 2 + 2);
    await broker.close();
  });

  it('refuses one transaction that is too large, and takes the small ones of the same moment', async () => {
    const broker = await openAt(directory, { mapBytes: 8 * MIB });
    await broker.declareTopics([LOG, TABLE]);
    const [large, small] = [await broker.openWriter('large'), await broker.openWriter('small')];
    const tooLarge = large.begin();
    tooLarge.append('log', 0, [record(new Uint8Array(9 * MIB))]);
    const [refused, taken] = await Promise.all([failure(tooLarge.commit()), failure(commitOne(small, 0))]);
    expect(refused).to.be.instanceOf(BrokerFullError);
    expect(taken).to.equal(undefined);
    await expectWhole(broker, 1);
    await broker.close();
  });

  it('on a full disk refuses, writes nothing, and goes on when the disk has room', async function () {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) {
      cannotRun(this, 'a small file system of its own can be mounted on Linux, and by root');
    }
    const mount = join(directory, 'disk');
    await mkdir(mount);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', mount], { stdio: 'ignore' });
    } catch (error) {
      cannotRun(this, `no file system can be mounted: ${String(error)}`, error);
    }
    try {
      const ballast = join(mount, 'ballast');
      await writeFile(ballast, new Uint8Array(8 * MIB));
      const broker = await openAt(join(mount, 'store'), { mapBytes: 1024 * MIB });
      await broker.declareTopics([LOG, TABLE]);
      const writer = await broker.openWriter('w');
      const { committed, error } = await commitUntilFull(writer);
      expect(error).to.be.instanceOf(BrokerFullError);
      expect((error as Error).message).to.match(/disk/);
      await expectWhole(broker, committed);
      expect(await failure(commitOne(writer, committed))).to.be.instanceOf(BrokerFullError);
      await rm(ballast);
      for (let n = committed; n < committed + 5; n++) {
        await commitOne(writer, n);
      }
      await expectWhole(broker, committed + 5);

      // Closing does not hang on a disk that is full again.
      await writeFile(ballast, new Uint8Array(24 * MIB)).catch(() => undefined);
      expect(await failure(commitOne(writer, committed + 5))).to.be.instanceOf(BrokerFullError);
      await broker.close();
      await rm(ballast);
      const again = await openAt(join(mount, 'store'), { mapBytes: 1024 * MIB });
      await again.declareTopics([LOG, TABLE]);
      await expectWhole(again, committed + 5);
      await again.close();
    } finally {
      execFileSync('umount', [mount], { stdio: 'ignore' });
    }
  });
});
