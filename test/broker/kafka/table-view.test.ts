import { expect } from 'chai';
import fc from 'fast-check';
import type { LogRecord } from '../../../src/broker/broker.ts';
import { TableView } from '../../../src/broker/kafka/table-view.ts';

type Step =
  /** A commit of somebody, or a marker: `key` undefined. */
  | {
      readonly do: 'write';
      readonly key: string | undefined;
      readonly value: string | null;
      readonly own: boolean;
    }
  /** The view is told of the oldest own commit that it was not told of. */
  | { readonly do: 'tell' }
  | { readonly do: 'read'; readonly upTo: number };

interface Written {
  readonly offset: number;
  readonly key: string | undefined;
  readonly value: string | null;
}

const KEYS = ['a', 'a/1', 'b', '\u{1f600}', '\uffee', ''];

const steps = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constant('write' as const),
      key: fc.option(fc.constantFrom(...KEYS), { nil: undefined }),
      value: fc.option(fc.string({ maxLength: 2 }), { nil: null, freq: 2 }),
      own: fc.boolean(),
    }),
    fc.record({ do: fc.constant('tell' as const) }),
    fc.record({ do: fc.constant('read' as const), upTo: fc.integer({ min: 0, max: 10 }) }),
  ),
  { maxLength: 60, size: 'max' },
);

describe('the view of a table partition', () => {
  it('shows for each key what stands at the greatest offset that was read or told', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const model = new Model();
        for (const step of sequence) {
          model.do(step);
          model.check();
        }
      }),
    );
  });

  it('ends as the log says, also where compaction removed records and tombstones before they were read', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const model = new Model({ compacted: true });
        for (const step of sequence) {
          model.do(step);
        }
        model.finish();
        model.check();
        const live = KEYS.filter((key) => model.view.get(key) !== undefined);
        expect(model.view.size, 'nothing is kept of what was removed').to.equal(live.length);
      }),
    );
  });

  it('is not undone by the log behind an own commit', () => {
    const view = new TableView();
    view.read([], 3);
    view.applied([{ key: 'k', value: Buffer.from('new'), offset: 9 }]);
    view.applied([{ key: 'gone', value: null, offset: 10 }]);
    view.read([entry(5, 'k', 'old'), entry(6, 'gone', 'old'), entry(7, 'k', null)], 8);
    expect(text(view.get('k'))).to.equal('new');
    expect(view.get('gone')).to.equal(undefined);
  });

  it('shows a key once that was removed and set again', () => {
    const view = new TableView();
    view.read([entry(0, 'k', 'first')], 1);
    view.read([entry(1, 'k', null)], 2);
    view.read([entry(2, 'k', 'again')], 3);
    expect(view.entries('').map(({ value }) => text(value))).to.deep.equal(['again']);
  });

  it('keeps bytes of its own', () => {
    const view = new TableView();
    const bytes = Buffer.from('abc');
    view.applied([{ key: 'applied', value: bytes, offset: 1 }]);
    view.read([{ ...entry(0, 'read', null), value: bytes }], 1);
    bytes.fill(0);
    expect([text(view.get('applied')), text(view.get('read'))]).to.deep.equal(['abc', 'abc']);
  });

  it('leaves out what has no key', () => {
    const view = new TableView();
    view.read([{ ...entry(0, '', 'x'), key: null }], 1);
    expect(view.entries('')).to.deep.equal([]);
  });
});

/** The log, what the view was told of it, and what the view must therefore show. */
class Model {
  readonly view = new TableView();
  readonly #log: Written[] = [];
  readonly #untold: Written[] = [];
  readonly #told: Written[] = [];
  readonly #compacted: boolean;
  #read = 0;

  constructor({ compacted = false } = {}) {
    this.#compacted = compacted;
  }

  do(step: Step): void {
    switch (step.do) {
      case 'write': {
        const written = { offset: this.#log.length, key: step.key, value: step.value };
        this.#log.push(written);
        if (step.own && step.key !== undefined) {
          this.#untold.push(written);
        }
        break;
      }
      case 'tell':
        this.#tell(1);
        break;
      case 'read':
        this.#readUpTo(Math.min(this.#log.length, this.#read + step.upTo));
        break;
    }
  }

  finish(): void {
    this.#tell(this.#untold.length);
    this.#readUpTo(this.#log.length);
  }

  check(): void {
    const expected = new Map<string, { offset: number; value: string | null }>();
    const known = [...this.#log.slice(0, this.#read), ...this.#told];
    for (const { key, offset, value } of known) {
      if (key !== undefined && offset >= (expected.get(key)?.offset ?? 0)) {
        expected.set(key, { offset, value });
      }
    }
    const live = [...expected].flatMap(([key, { value }]) => (value === null ? [] : [[key, value] as const]));
    live.sort(([left], [right]) => Buffer.compare(Buffer.from(left), Buffer.from(right)));
    for (const prefix of ['', 'a', 'b']) {
      const shown = this.view.entries(prefix).map(({ key, value }) => [key, text(value)]);
      expect(shown).to.deep.equal(live.filter(([key]) => key.startsWith(prefix)));
    }
    for (const key of KEYS) {
      const value = expected.get(key)?.value;
      expect(text(this.view.get(key))).to.equal(value ?? undefined);
    }
    expect(this.view.position).to.equal(this.#read);
  }

  #tell(count: number): void {
    const told = this.#untold.splice(0, count);
    this.#told.push(...told);
    this.view.applied(
      told.map(({ key, offset, value }) => ({
        key: key ?? '',
        offset,
        value: value === null ? null : Buffer.from(value),
      })),
    );
  }

  #readUpTo(position: number): void {
    const records = this.#log.slice(this.#read, position).flatMap(({ key, offset, value }) => {
      const superseded = this.#log.some((later) => later.key === key && later.offset > offset);
      // Whose view has something in it sees a tombstone: it is kept for longer than a view goes unread.
      const empty = this.#read === 0 && this.#told.length === 0;
      const gone = this.#compacted && (superseded || (value === null && empty));
      return key === undefined || gone ? [] : [entry(offset, key, value)];
    });
    this.#read = position;
    this.view.read(records, position);
  }
}

function entry(offset: number, key: string, value: string | null): LogRecord {
  return { offset, key, value: value === null ? null : Buffer.from(value), timestamp: 0, headers: {} };
}

function text(value: Uint8Array | undefined): string | undefined {
  return value === undefined ? undefined : Buffer.from(value).toString('utf8');
}
