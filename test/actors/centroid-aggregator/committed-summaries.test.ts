import { expect } from 'chai';
import { committedSummaries } from '../../../src/actors/centroid-aggregator/committed-summaries.ts';
import { emptyProgress, encodeProgress } from '../../../src/actors/partition/progress.ts';
import { splitIntoChunks, summaryKey } from '../../../src/actors/partition/summary-chunks.ts';
import { PROGRESS_KEY } from '../../../src/actors/topics.ts';
import type { Broker, TableEntry, TableMark } from '../../../src/broker/broker.ts';

const CHUNKS = 12;
const LARGE = new Uint8Array(CHUNKS * 256 * 1024 - 5).map((_, at) => at % 251);

/** Two partitions with one region each, whose parts are a head and one of so many chunks. */
class Tables {
  /** Of each partition: how often anything was committed, and how often it was read. */
  readonly commits = [1, 1];
  readonly reads = [0, 0];
  /** What is committed while a partition is read for the first time. */
  meanwhile: number | undefined;

  readonly broker: Pick<Broker, 'tableEntries' | 'tableGet' | 'tableMark'> = {
    tableGet: (_table, partition, key) => {
      expect(key).to.equal(PROGRESS_KEY);
      const nextOffset = this.commits[partition] as number;
      return Promise.resolve(encodeProgress({ ...emptyProgress(), epoch: 7, nextOffset }));
    },
    tableMark: (_table, partition) => Promise.resolve(this.#mark(partition)),
    tableEntries: (_table, partition, _prefix, since) => this.#entries(partition, since),
  };

  #mark(partition: number): TableMark {
    return { view: this, at: this.commits[partition] as number };
  }

  async *#entries(partition: number, since: TableMark | undefined): AsyncGenerator<TableEntry> {
    await Promise.resolve();
    this.reads[partition] = (this.reads[partition] as number) + 1;
    const large = splitIntoChunks(LARGE).map((value, chunk) => ({
      key: summaryKey('r', 'large', chunk),
      value,
    }));
    expect(large).to.have.length(CHUNKS);
    const commits = this.commits[partition] as number;
    if (since === undefined || commits > since.at) {
      yield { key: summaryKey('r', 'head', 0), value: Uint8Array.of(commits) };
    }
    if (since === undefined) {
      yield* large;
    }
    if (partition === this.meanwhile) {
      this.meanwhile = undefined;
      this.commits[partition] = commits + 1;
    }
  }
}

describe('the committed summaries', () => {
  const read = (tables: Tables, since?: readonly TableMark[]): ReturnType<typeof committedSummaries> =>
    committedSummaries(tables.broker as Broker, 'table', 2, since);
  const whole = (partition: number, head: number): unknown => ({
    partition,
    token: 'r',
    parts: new Map([
      ['head', Uint8Array.of(head)],
      ['large', LARGE],
    ]),
  });

  it('are put together from their chunks', async () => {
    const { epochs, nextOffsets, since, summaries } = await read(new Tables());
    expect(summaries).to.deep.equal([whole(0, 1), whole(1, 1)]);
    expect({ epochs: [...epochs], nextOffsets, since }).to.deep.equal({
      epochs: [7],
      nextOffsets: [1, 1],
      since: undefined,
    });
  });

  it('are read on from the marks of the time before: what has changed since', async () => {
    const tables = new Tables();
    const { marks } = await read(tables);
    expect((await read(tables, marks)).summaries).to.deep.equal([]);
    tables.commits[1] = 2;
    const next = await read(tables, marks);
    expect(next.since).to.equal(marks);
    expect(next.nextOffsets).to.deep.equal([1, 2]);
    expect(next.summaries).to.deep.equal([
      { partition: 1, token: 'r', parts: new Map([['head', Uint8Array.of(2)]]) },
    ]);
    expect((await read(tables, next.marks)).summaries).to.deep.equal([]);
  });

  it('are read again where something was committed meanwhile, and from there on told once', async () => {
    const tables = new Tables();
    tables.meanwhile = 0;
    const { marks, summaries } = await read(tables);
    expect(summaries).to.deep.equal([whole(0, 2), whole(1, 1)]);
    expect(tables.reads).to.deep.equal([2, 1]);
    expect((await read(tables, marks)).summaries).to.deep.equal([]);
  });
});
