import { expect } from 'chai';
import { committedSummaries } from '../../../src/actors/centroid-aggregator/committed-summaries.ts';
import { splitIntoChunks, summaryKey } from '../../../src/actors/partition/summary-chunks.ts';
import type { Broker, IsKnown, TableEntry } from '../../../src/broker/broker.ts';

const CHUNKS = 12;

/** A table with one partition and one region, whose parts are a head and one of so many chunks. */
function brokerWith(large: Uint8Array): Pick<Broker, 'tableEntries' | 'tableGet'> {
  const chunks = splitIntoChunks(large);
  expect(chunks).to.have.length(CHUNKS);
  const entries = [
    ...chunks.map((value, chunk) => ({ key: summaryKey('r', 'large', chunk), value })),
    { key: summaryKey('r', 'head', 0), value: Uint8Array.of(1) },
  ].sort((a, b) => (a.key < b.key ? -1 : 1));
  return {
    tableGet: () => Promise.resolve(undefined),
    async *tableEntries(_table, _partition, _prefix, isKnown?: IsKnown): AsyncGenerator<TableEntry> {
      await Promise.resolve();
      yield* entries.filter(({ key, value }) => isKnown?.(key, value) !== true);
    },
  };
}

describe('the committed summaries', () => {
  const large = new Uint8Array(CHUNKS * 256 * 1024 - 5).map((_, at) => at % 251);
  const read = async (knows?: Parameters<typeof committedSummaries>[3]): Promise<unknown> =>
    (await committedSummaries(brokerWith(large) as Broker, 'table', 1, knows)).summaries;

  it('are put together from their chunks', async () => {
    expect(await read()).to.deep.equal([
      {
        partition: 0,
        token: 'r',
        parts: new Map([
          ['head', Uint8Array.of(1)],
          ['large', large],
        ]),
        known: new Set(),
      },
    ]);
  });

  it('come without the parts that are known, of which all chunks are left out', async () => {
    const asked: string[] = [];
    const summaries = await read((partition, token, part, bytes) => {
      asked.push(`${String(partition)} ${token} ${part} ${String(bytes.length)}`);
      return part === 'large';
    });
    expect(summaries).to.deep.equal([
      { partition: 0, token: 'r', parts: new Map([['head', Uint8Array.of(1)]]), known: new Set(['large']) },
    ]);
    // The first chunk tells for all.
    expect(asked).to.deep.equal(['0 r head 1', '0 r large 262144']);
  });
});
