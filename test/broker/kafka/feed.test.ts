import { expect } from 'chai';
import fc from 'fast-check';
import { TopicLostError } from '../../../src/broker/errors.ts';
import { PartitionFeed } from '../../../src/broker/kafka/feed.ts';
import { KafkaReader } from '../../../src/broker/kafka/reader.ts';
import type { FetchedPartition } from '../../../src/broker/kafka/wire/fetch.ts';
import type { LogRecord } from '../../../src/broker/broker.ts';
import { silentLogger } from '../../../src/system/logger.ts';
import { failure, NEVER } from '../helpers.ts';
import { listeningLogger } from './fixtures.ts';
import { SimulatedLog, TOPIC } from './simulated-log.ts';

const NOBODY = { wake: () => undefined, forget: () => undefined };

const writes = fc.array(
  fc.oneof(
    fc.record({
      producer: fc.integer({ min: 0, max: 3 }),
      values: fc.array(fc.string({ maxLength: 3 }), { minLength: 1, maxLength: 5 }),
      codec: fc.constantFrom('none' as const, 'gzip' as const),
    }),
    fc.record({
      producer: fc.integer({ min: 1, max: 3 }),
      outcome: fc.constantFrom('commit' as const, 'abort' as const),
    }),
  ),
  { maxLength: 40 },
);

describe('what was fetched of a partition', () => {
  it('gives each committed record once, in order, however the log is cut into answers and pieces', () => {
    fc.assert(
      fc.property(
        writes,
        fc.nat({ max: 30 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 600 })),
        (steps, offset, sizes) => {
          const log = logOf(steps);
          fc.pre(offset <= log.stable);
          const feed = new PartitionFeed({ ...at(offset), fetcher: NOBODY });
          feed.fetchUpTo(log.stable);
          const seen: { offset: number; value: string }[] = [];
          let last: readonly LogRecord[] = [];
          // What was taken is valid until more is taken, also when the next answer has come.
          const look = (): void => {
            seen.push(...last.map((one) => ({ offset: one.offset, value: text(one.value) })));
          };
          const next = (): number => Number(sizes.next().value);
          while (feed.position < log.stable) {
            const before = feed.position;
            if (feed.wanted === undefined) {
              expect(feed.ready, 'there is something, or more is wanted').to.equal(true);
              look();
              last = feed.take(next() % 7);
              expect(last.length, 'what is ready has records').to.be.greaterThan(0);
              expect(last[0]?.offset).to.be.at.least(before);
            } else {
              expect(feed.ready).to.equal(false);
              arrive(feed, log.fetch(feed.wanted, next()));
            }
            expect(feed.position).to.be.at.least(before);
          }
          look();
          expect(seen).to.deep.equal(log.visible(offset));
          expect(feed.ready).to.equal(false);
          expect(feed.wanted, 'nothing behind the limit').to.equal(undefined);
        },
      ),
    );
  });

  it('keeps what was taken last while more comes, also what nobody will see, and then uses its memory', () => {
    const log = new SimulatedLog();
    const large = (name: string): string => name.repeat(300_000);
    log.append(0, [large('a')]);
    const feed = new PartitionFeed({ ...at(0), fetcher: NOBODY });
    feed.fetchUpTo(Number.POSITIVE_INFINITY);
    const step = (): LogRecord | undefined => {
      arrive(feed, log.fetch(feed.wanted ?? -1, 10_000_000));
      return feed.ready ? feed.take(1)[0] : undefined;
    };
    const a = step();
    for (const name of ['x', 'y', 'z']) {
      log.append(1, [large(name)]);
      log.finish(1, 'abort');
      expect(step(), 'aborted').to.equal(undefined);
      expect(text(a?.value ?? null) === large('a'), `kept beside ${name}`).to.equal(true);
    }
    const memory = new Set([a?.value?.buffer]);
    for (const name of ['b', 'c', 'd', 'e']) {
      log.append(0, [large(name)]);
      const taken = step();
      expect(text(taken?.value ?? null) === large(name)).to.equal(true);
      memory.add(taken?.value?.buffer);
    }
    expect(memory.size).to.equal(2);
  });

  it('moves past what nobody will see as soon as it comes, and is not ready for it', () => {
    const log = new SimulatedLog();
    log.append(1, ['lost', 'lost too']);
    log.finish(1, 'abort');
    const feed = new PartitionFeed({ ...at(0), fetcher: NOBODY });
    feed.fetchUpTo(Number.POSITIVE_INFINITY);
    feed.arrived(log.fetch(0, 10_000));
    expect(feed.ready).to.equal(false);
    expect(feed.position).to.equal(3);
  });

  it('stands behind the marker once the last record before it is read', () => {
    const log = new SimulatedLog();
    log.append(1, ['a', 'b']);
    log.finish(1, 'commit');
    const feed = new PartitionFeed({ ...at(0), fetcher: NOBODY });
    feed.fetchUpTo(Number.POSITIVE_INFINITY);
    feed.arrived(log.fetch(0, 10_000));
    expect([feed.take(1).length, feed.position]).to.deep.equal([1, 1]);
    expect([feed.take(1).length, feed.position]).to.deep.equal([1, 3]);
  });

  it('is fetched one answer ahead, also while nobody reads, and no more', () => {
    const log = new SimulatedLog();
    log.append(0, ['a', 'b']);
    let woken = 0;
    const feed = new PartitionFeed({ ...at(0), fetcher: { wake: () => woken++, forget: () => undefined } });
    feed.fetchUpTo(Number.POSITIVE_INFINITY);
    expect([feed.wanted, woken]).to.deep.equal([0, 1]);
    feed.arrived(log.fetch(0, 10_000));
    expect(feed.take(1)).to.have.length(1);
    expect([feed.wanted, woken]).to.deep.equal([undefined, 1]);
    feed.take(1);
    expect([feed.wanted, woken]).to.deep.equal([2, 2]);
  });

  it('fails where the log ends before the position, and goes on, loudly, where it begins behind it', () => {
    const lines: string[] = [];
    const log = listeningLogger(lines);
    const feed = new PartitionFeed({ ...at(5), fetcher: NOBODY, log });
    feed.fetchUpTo(Number.POSITIVE_INFINITY);
    feed.outOfRange(8, 20);
    expect(feed.position).to.equal(8);
    expect(lines.join())
      .to.match(/^error/)
      .and.match(/\b5\b/)
      .and.match(/\b7\b/);

    const beginning = new PartitionFeed({ ...at(0), fetcher: NOBODY, log });
    beginning.fetchUpTo(Number.POSITIVE_INFINITY);
    beginning.outOfRange(8, 20);
    expect(beginning.position).to.equal(8);
    expect(lines).to.have.length(1);

    feed.outOfRange(0, 7);
    expect(feed.failure).to.be.instanceOf(TopicLostError);
    expect(feed.failure?.message)
      .to.match(/\b8\b/)
      .and.match(/\b7\b/)
      .and.match(/rewind/);
    expect(feed.wanted).to.equal(undefined);
  });
});

describe('a reader of a partition', () => {
  it('keeps what comes after its read was aborted for the next one', async () => {
    const { arrive, log, reader } = readerOf();
    const stop = new AbortController();
    const reading = reader.read(100, stop.signal);
    stop.abort();
    expect(await reading).to.deep.equal([]);
    log.append(0, ['late']);
    arrive();
    expect((await reader.read(100, NEVER)).map((one) => text(one.value))).to.deep.equal(['late']);
  });

  it('does not lose a piece when it is aborted between two turns', async () => {
    const { arrive, log, reader } = readerOf();
    log.append(0, ['a', 'b']);
    arrive();
    const stop = new AbortController();
    const reading = reader.read(1, stop.signal);
    stop.abort();
    expect(await reading).to.deep.equal([]);
    expect((await reader.read(100, NEVER)).map((one) => text(one.value))).to.deep.equal(['a', 'b']);
  });

  it('waits on when what came is not visible', async () => {
    const { arrive, log, reader } = readerOf();
    const reading = reader.read(100, NEVER);
    log.append(1, ['lost']);
    log.finish(1, 'abort');
    arrive();
    expect(reader.position).to.equal(2);
    log.append(0, ['kept']);
    arrive();
    expect((await reading).map((one) => text(one.value))).to.deep.equal(['kept']);
  });

  it('fails the read that waits, and later ones, when it is closed', async () => {
    const { reader } = readerOf();
    const reading = failure(reader.read(100, NEVER));
    await reader.close();
    expect(String(await reading)).to.match(/closed/);
    expect(String(await failure(reader.read(100, NEVER)))).to.match(/closed/);
  });
});

function readerOf(): { reader: KafkaReader; log: SimulatedLog; arrive: () => void } {
  const log = new SimulatedLog();
  let arrive = (): void => undefined;
  const reader = new KafkaReader(
    {
      ...at(0),
      fetcher: {
        wake: (source) => {
          arrive = () => {
            source.arrived(log.fetch(source.wanted ?? 0, 10_000));
          };
        },
        forget: () => undefined,
      },
    },
    () => undefined,
  );
  return {
    reader,
    log,
    arrive: () => {
      arrive();
    },
  };
}

/** An answer whose memory is used for something else as soon as it was handed over. */
function arrive(feed: PartitionFeed, fetched: FetchedPartition): void {
  feed.arrived(fetched);
  fetched.records.fill(0xff);
}

function at(offset: number): { topic: string; partition: number; offset: number; log: typeof silentLogger } {
  return { topic: TOPIC, partition: 0, offset, log: silentLogger };
}

type Steps = typeof writes extends fc.Arbitrary<infer T> ? T : never;

function logOf(steps: Steps): SimulatedLog {
  const log = new SimulatedLog();
  for (const step of steps) {
    if ('values' in step) {
      log.append(step.producer, step.values, step);
    } else {
      log.finish(step.producer, step.outcome);
    }
  }
  return log;
}

function text(value: Uint8Array | null): string {
  return Buffer.from(value ?? []).toString('utf8');
}
