import { expect } from 'chai';
import type { Broker, Writer } from '../../../src/broker/broker.ts';
import { FencedError, UnknownOutcomeError } from '../../../src/broker/errors.ts';
import { useKafka } from '../../support/kafka.ts';
import { Scene } from '../conformance/scene.ts';
import { failure, pause, readAll, record, text } from '../helpers.ts';
import { KafkaPlace } from './fixtures.ts';
import { API, type Frame, Proxy } from './proxy.ts';

describe('a Kafka writer in a network that fails', () => {
  const brokers = useKafka();
  let scene: Scene;
  let proxy: Proxy;
  /** Through the proxy; the scene's own goes straight. */
  let broker: Broker;

  beforeEach(async () => {
    const place = new KafkaPlace(brokers());
    scene = new Scene(() => Promise.resolve(place));
    await scene.begin();
    proxy = await Proxy.listen();
    broker = await place.open({ socketFactory: proxy.socketFactory });
    await broker.declareTopics(scene.topics);
  });

  afterEach(async () => {
    proxy.judge = () => 'pass';
    proxy.comeBack();
    await broker.close();
    await proxy.close();
    await scene.end();
  });

  /** One row and the progress behind it; also to a second partition, so that there is more to lose. */
  async function commitRow(writer: Writer, row: string, next: number): Promise<void> {
    const transaction = writer.begin();
    transaction.append(scene.log, 0, [record(row)]);
    transaction.append(scene.log, 1, [record(row)]);
    transaction.put(scene.table, 0, 'next', Buffer.from(String(next)));
    await (await transaction.commit()).flushed;
  }

  async function progress(): Promise<number> {
    await scene.broker.refreshTable(scene.table, 0);
    return Number(text(await scene.broker.tableGet(scene.table, 0, 'next')) ?? 0);
  }

  async function expectRows(rows: readonly string[]): Promise<void> {
    expect(await progress()).to.equal(rows.length);
    for (const partition of [0, 1]) {
      expect(await readAll(scene.broker, partition, 0, scene.log)).to.deep.equal(rows);
    }
  }

  async function expectUnusable(writer: Writer): Promise<void> {
    const later = await failure((async () => writer.begin().commit())());
    expect(later).to.be.instanceOf(FencedError);
  }

  it('does not know the outcome when the reply to its commit is lost, and finds it done', async () => {
    const writer = await broker.openWriter('w');
    await commitRow(writer, 'a', 1);
    const lost = proxy.cutOnce('reply', API.endTxn);
    expect(await failure(commitRow(writer, 'b', 2))).to.be.instanceOf(UnknownOutcomeError);
    expect(lost()).to.equal(true);
    await expectUnusable(writer);

    const again = await broker.openWriter('w');
    await expectRows(['a', 'b']);
    await commitRow(again, 'c', 3);
    await expectRows(['a', 'b', 'c']);
  });

  it('does not know the outcome when its commit is lost on the way, and finds nothing done', async () => {
    const writer = await broker.openWriter('w');
    await commitRow(writer, 'a', 1);
    const lost = proxy.cutOnce('request', API.endTxn);
    expect(await failure(commitRow(writer, 'b', 2))).to.be.instanceOf(UnknownOutcomeError);
    expect(lost()).to.equal(true);
    await expectUnusable(writer);

    const again = await broker.openWriter('w');
    await expectRows(['a']);
    await commitRow(again, 'b', 2);
    await expectRows(['a', 'b']);
  });

  for (const kind of ['request', 'reply'] as const) {
    for (const api of ['addPartitionsToTxn', 'produce'] as const) {
      it(`goes on by itself when the ${kind} of ${api} is lost`, async () => {
        const writer = await broker.openWriter('w');
        await commitRow(writer, 'a', 1);
        const lost = proxy.cutOnce(kind, API[api]);
        await commitRow(writer, 'b', 2);
        expect(lost()).to.equal(true);
        await commitRow(writer, 'c', 3);
        await expectRows(['a', 'b', 'c']);
      });
    }

    it(`is opened in spite of a lost ${kind} of InitProducerId`, async () => {
      const lost = proxy.cutOnce(kind, API.initProducerId);
      const writer = await broker.openWriter('w');
      expect(lost()).to.equal(true);
      await commitRow(writer, 'a', 1);
      await expectRows(['a']);
    });
  }

  it('commits each row once while every seventh frame of its transactions is lost', async () => {
    const ofTransactions: readonly number[] = [API.addPartitionsToTxn, API.produce, API.endTxn];
    let frames = 0;
    let answers = 0;
    proxy.judge = ({ apiKey, kind }: Frame) => {
      // The first answer to a commit, too: which ones the others are is for the broker's haste to say.
      const isFirst = apiKey === API.endTxn && kind === 'reply' && answers++ === 0;
      return ofTransactions.includes(apiKey) && (++frames % 7 === 0 || isFirst) ? 'cut' : 'pass';
    };
    const rows = Array.from({ length: 12 }, (_, at) => `row ${String(at)}`);
    let writer = await broker.openWriter('w');
    let unknown = 0;
    for (let next = 0; next < rows.length; ) {
      const error = await failure(commitRow(writer, rows[next] ?? '', next + 1));
      if (error === undefined) {
        next++;
        continue;
      }
      expect(error).to.be.instanceOf(UnknownOutcomeError);
      unknown++;
      writer = await broker.openWriter('w');
      next = await progress();
    }
    expect(frames).to.be.greaterThan(12 * 6);
    expect(unknown).to.be.greaterThan(0);
    await expectRows(rows);
  });

  it('waits while nobody answers, and goes on when somebody does', async () => {
    const writer = await broker.openWriter('w');
    await commitRow(writer, 'a', 1);
    proxy.goAway();
    let settled = false;
    const commit = commitRow(writer, 'b', 2).finally(() => {
      settled = true;
    });
    const opening = broker.openWriter('other');
    await pause(1_500);
    expect(settled).to.equal(false);
    proxy.comeBack();
    await commit;
    await expectRows(['a', 'b']);
    await (await opening).begin().commit();
  });

  it('stops waiting to be opened when its claim is let go', async () => {
    const letGo = new AbortController();
    const membership = await broker.join(scene.fixture.named('g'), scene.log, {
      assigned: () => Promise.resolve(),
      revoked: () => Promise.resolve(),
      failed: () => undefined,
    });
    proxy.goAway();
    const opening = failure(broker.openWriter('w', { membership, partition: 0, signal: letGo.signal }));
    await pause(300);
    letGo.abort(new Error('no longer wanted'));
    expect(String(await opening)).to.contain('no longer wanted');
    proxy.comeBack();
    await membership.leave();
  });

  it('is fenced in the middle of a transaction: what was sent never shows', async () => {
    const writer = await broker.openWriter('w');
    await commitRow(writer, 'a', 1);
    // The commit waits on its way until the next owner has opened the writer.
    let arrive = (): void => undefined;
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    proxy.judge = async ({ apiKey, kind }: Frame): Promise<'pass'> => {
      if (kind === 'request' && apiKey === API.endTxn) {
        arrive();
        await released;
      }
      return 'pass';
    };
    const stale = failure(commitRow(writer, 'stale', 2));
    await arrived;
    const owner = await scene.broker.openWriter('w');
    release();
    expect(await stale).to.be.instanceOf(FencedError);
    await expectRows(['a']);
    await commitRow(owner, 'b', 2);
    await expectRows(['a', 'b']);
  });
});
