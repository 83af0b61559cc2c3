import { expect } from 'chai';
import fc from 'fast-check';
import type { Transaction, Writer } from '../../../src/broker/broker.ts';
import type { EmbeddedBroker } from '../../../src/broker/embedded/broker.ts';
import { FencedError } from '../../../src/broker/errors.ts';
import { entriesOf, failure, readAll, record } from '../helpers.ts';
import { openAt, removeDirectory, temporaryDirectory } from '../fixtures.ts';

/**
 * The store against a model in memory: logs as arrays, tables as maps, an epoch a writer name. Two
 * handles share each of two writer names, so that each keeps fencing the other; stores are closed and
 * opened again in between.
 */
const PARTITIONS = 2;

interface Handle {
  readonly name: string;
  readonly epoch: number;
  readonly writer: Writer;
}

type Change =
  | { readonly kind: 'append'; readonly partition: number; readonly values: readonly string[] }
  | { readonly kind: 'put'; readonly partition: number; readonly key: string; readonly value: string | null };

type Step =
  | { readonly kind: 'open'; readonly handle: number }
  | {
      readonly kind: 'transaction';
      readonly handle: number;
      readonly changes: readonly Change[];
      readonly end: 'commit' | 'abort';
    }
  | { readonly kind: 'reopen' }
  | { readonly kind: 'compare'; readonly from: number };

const partition = fc.nat(PARTITIONS - 1);
const handle = fc.nat(3);
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({
    kind: fc.constant('append' as const),
    partition,
    values: fc.array(fc.string({ maxLength: 5 }), { maxLength: 4 }),
  }),
  fc.record({
    kind: fc.constant('put' as const),
    partition,
    key: fc.constantFrom('a', 'b', 'c/1', 'c/2'),
    value: fc.option(fc.string({ maxLength: 5 })),
  }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('open' as const), handle }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('transaction' as const),
      handle,
      changes: fc.array(change, { maxLength: 5 }),
      end: fc.constantFrom('commit' as const, 'commit' as const, 'abort' as const),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('compare' as const), from: fc.nat(10) }) },
);

class Model {
  readonly logs: string[][] = Array.from({ length: PARTITIONS }, () => []);
  readonly tables = Array.from({ length: PARTITIONS }, () => new Map<string, string>());
  readonly epochs = new Map<string, number>();

  apply(changes: readonly Change[]): void {
    for (const one of changes) {
      if (one.kind === 'append') {
        this.logs[one.partition]?.push(...one.values);
      } else if (one.value === null) {
        this.tables[one.partition]?.delete(one.key);
      } else {
        this.tables[one.partition]?.set(one.key, one.value);
      }
    }
  }
}

function fill(transaction: Transaction, changes: readonly Change[]): void {
  for (const one of changes) {
    if (one.kind === 'append') {
      transaction.append(
        'log',
        one.partition,
        one.values.map((value) => record(value)),
      );
    } else {
      transaction.put('table', one.partition, one.key, one.value === null ? null : Buffer.from(one.value));
    }
  }
}

async function compare(broker: EmbeddedBroker, model: Model, from: number): Promise<void> {
  for (let at = 0; at < PARTITIONS; at++) {
    const log = model.logs[at] ?? [];
    expect((await broker.offsets('log', at)).end).to.equal(log.length);
    expect(await readAll(broker, at, from)).to.deep.equal(log.slice(from));
    const table = [...(model.tables[at] ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    expect(await entriesOf(broker, at)).to.deep.equal(table);
    expect(await entriesOf(broker, at, 'c/')).to.deep.equal(table.filter(([key]) => key.startsWith('c/')));
  }
}

async function openWithTopics(directory: string): Promise<EmbeddedBroker> {
  const broker = await openAt(directory, { mapBytes: 8 * 1024 * 1024 });
  await broker.declareTopics([
    { name: 'log', kind: 'log', partitions: PARTITIONS },
    { name: 'table', kind: 'table', partitions: PARTITIONS },
  ]);
  return broker;
}

async function run(steps: readonly Step[]): Promise<void> {
  const directory = await temporaryDirectory();
  let broker = await openWithTopics(directory);
  const model = new Model();
  let handles: (Handle | undefined)[] = [];
  try {
    for (const one of steps) {
      if (one.kind === 'open') {
        const name = `writer-${String(one.handle % 2)}`;
        const epoch = (model.epochs.get(name) ?? 0) + 1;
        model.epochs.set(name, epoch);
        handles[one.handle] = { name, epoch, writer: await broker.openWriter(name) };
      } else if (one.kind === 'transaction') {
        const used = handles[one.handle];
        if (used === undefined) {
          continue;
        }
        const transaction = used.writer.begin();
        fill(transaction, one.changes);
        if (one.end === 'abort') {
          await transaction.abort();
          continue;
        }
        const error = await failure(transaction.commit());
        if (used.epoch === model.epochs.get(used.name)) {
          expect(error).to.equal(undefined);
          model.apply(one.changes);
        } else {
          expect(error).to.be.instanceOf(FencedError);
        }
      } else if (one.kind === 'reopen') {
        await broker.close();
        broker = await openWithTopics(directory);
        handles = [];
      } else {
        await compare(broker, model, one.from);
      }
    }
    await compare(broker, model, 0);
  } finally {
    await broker.close();
    await removeDirectory(directory);
  }
}

describe('the embedded broker and its model', () => {
  it('agree on logs, tables and fencing after any steps', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), run), { numRuns: 25 });
  });
});
