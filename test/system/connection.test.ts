import { expect } from 'chai';
import fc from 'fast-check';
import { ByteBudget } from '../../src/system/budget.ts';
import { Connection, type Cost } from '../../src/system/connection.ts';
import { ConnectionRegistry } from '../../src/system/connection-registry.ts';

/** What is sent, with what it does when it is delivered. */
const to = (deliver: () => unknown, dropped: () => void = () => undefined) => ({
  deliver: () => {
    deliver();
  },
  dropped,
});

const idle = new AbortController().signal;

function open(thresholds: Cost, budget = new ByteBudget(1_000_000), name = 'a', guaranteedBytes = 0) {
  return new Connection({ name, receiver: 'stage', thresholds, budget, guaranteedBytes });
}

async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('did not reject');
}

/** Lets promise callbacks that are due run; nothing here waits for a timer. */
async function settle(): Promise<void> {
  await new Promise(setImmediate);
}

describe('Connection', () => {
  describe('in flight is exactly the limit, whichever binds', () => {
    const cases = [
      { binds: 'rows', thresholds: { rows: 10, bytes: 1_000 }, limit: 1_000, rows: 10 },
      { binds: 'bytes', thresholds: { rows: 100, bytes: 70 }, limit: 1_000, rows: 7 },
      { binds: 'budget', thresholds: { rows: 100, bytes: 1_000 }, limit: 30, rows: 3 },
    ];
    for (const { binds, thresholds, limit, rows } of cases) {
      it(binds, async () => {
        const budget = new ByteBudget(limit);
        const connection = open(thresholds, budget);
        expect(await connection.reserveRows(2, 10, idle)).to.equal(2);
        expect(await connection.reserveRows(50, 10, idle)).to.equal(rows - 2);
        expect(connection.depth).to.deep.equal({ rows, bytes: rows * 10 });
        let granted = -1;
        void connection.reserveRows(50, 10, idle).then((count) => {
          granted = count;
        });
        await settle();
        expect(granted).to.equal(-1);
        connection.release({ rows: 1, bytes: 10 });
        await settle();
        expect(granted).to.equal(1);
        expect(connection.depth).to.deep.equal({ rows, bytes: rows * 10 });
        expect(budget.used).to.equal(rows * 10);
        expect(connection.waits).to.equal(1);
      });
    }
  });

  it('names connection, cost and threshold of what can never fit', async () => {
    const connection = open({ rows: 10, bytes: 100 }, new ByteBudget(50), 'partition-3 -> region');
    const rows = await rejection(connection.reserve({ rows: 11, bytes: 1 }, idle));
    expect(rows).to.be.instanceOf(RangeError);
    expect(rows.message).to.contain('partition-3 -> region').and.contain('11 rows').and.contain('10 rows');
    const bytes = await rejection(connection.reserveRows(1, 101, idle));
    expect(bytes.message).to.contain('101 bytes').and.contain('100 bytes');
    const budget = await rejection(connection.reserve({ rows: 1, bytes: 51 }, idle));
    expect(budget.message).to.contain('51 bytes').and.contain('budget 50');
    expect(await rejection(connection.reserveRows(0, 1, idle))).to.be.instanceOf(RangeError);
    expect(await rejection(connection.reserve({ rows: 0.5, bytes: 1 }, idle))).to.be.instanceOf(RangeError);
    expect(connection.depth).to.deep.equal({ rows: 0, bytes: 0 });
  });

  it('refuses to release more than is held', async () => {
    const connection = open({ rows: 10, bytes: 100 });
    await connection.reserve({ rows: 2, bytes: 20 }, idle);
    expect(() => {
      connection.release({ rows: 2, bytes: 21 });
    }).to.throw(RangeError, '21 bytes');
    expect(connection.depth).to.deep.equal({ rows: 2, bytes: 20 });
  });

  it('a large reservation is not overtaken by small ones', async () => {
    const connection = open({ rows: 10, bytes: 100 });
    await connection.reserve({ rows: 8, bytes: 8 }, idle);
    const order: string[] = [];
    void connection.reserve({ rows: 9, bytes: 9 }, idle).then(() => order.push('large'));
    void connection.reserve({ rows: 1, bytes: 1 }, idle).then(() => order.push('small'));
    await settle();
    expect(order).to.deep.equal([]);
    connection.release({ rows: 8, bytes: 8 });
    await settle();
    expect(order).to.deep.equal(['large', 'small']);
  });

  it('an aborted waiter leaves the queue, and those behind it move up', async () => {
    const connection = open({ rows: 10, bytes: 100 });
    await connection.reserve({ rows: 8, bytes: 8 }, idle);
    const abort = new AbortController();
    const large = connection.reserve({ rows: 9, bytes: 9 }, abort.signal);
    const rows = connection.reserveRows(5, 1, idle);
    abort.abort();
    expect(await large).to.equal(false);
    expect(await rows).to.equal(2);
    expect(await connection.reserveRows(1, 1, abort.signal)).to.equal(0);
  });

  it('an aborted waiter frees the queue of the budget for other connections', async () => {
    const budget = new ByteBudget(100);
    const a = open({ rows: 100, bytes: 200 }, budget, 'a');
    const b = open({ rows: 100, bytes: 100 }, budget, 'b');
    await a.reserve({ rows: 1, bytes: 60 }, idle);
    const abort = new AbortController();
    const large = a.reserve({ rows: 1, bytes: 40 + 1 }, abort.signal);
    const small = b.reserve({ rows: 1, bytes: 10 }, idle);
    await settle();
    expect(b.depth.bytes).to.equal(0);
    abort.abort();
    expect(await large).to.equal(false);
    expect(await small).to.equal(true);
    expect(budget.used).to.equal(70);
  });

  it('a connection full by its own threshold keeps nobody from the budget', async () => {
    const budget = new ByteBudget(100);
    const a = open({ rows: 1, bytes: 100 }, budget, 'a');
    const b = open({ rows: 100, bytes: 100 }, budget, 'b');
    await a.reserve({ rows: 1, bytes: 10 }, idle);
    void a.reserve({ rows: 1, bytes: 90 }, idle);
    expect(await b.reserveRows(100, 1, idle)).to.equal(90);
  });

  it('with a guarantee downstream, an upstream that holds the whole budget cannot lock both', async () => {
    const budget = new ByteBudget(100);
    const upstream = open({ rows: 100, bytes: 100 }, budget, 'upstream');
    const downstream = open({ rows: 100, bytes: 100 }, budget, 'downstream', 20);
    expect(await upstream.reserveRows(100, 10, idle)).to.equal(8);
    void upstream.reserveRows(1, 10, idle);
    expect(await downstream.reserveRows(5, 10, idle)).to.equal(2);
    expect(budget.used).to.equal(100);
    const more = downstream.reserve({ rows: 1, bytes: 10 }, idle);
    await settle();
    downstream.release({ rows: 1, bytes: 10 });
    expect(await more).to.equal(true);
    // Served by its guarantee, it has left the queue of the budget to the upstream.
    expect(budget.waiting).to.equal(1);
    expect((await rejection(upstream.reserve({ rows: 1, bytes: 81 }, idle))).message).to.contain(
      '80 are open',
    );
    downstream.close();
    await settle();
    expect(upstream.depth.bytes).to.equal(90);
  });

  it('a guarantee asked for while the budget is taken is honoured as soon as there is room', async () => {
    const budget = new ByteBudget(100);
    const a = open({ rows: 100, bytes: 100 }, budget, 'a');
    await a.reserve({ rows: 1, bytes: 100 }, idle);
    const b = open({ rows: 100, bytes: 100 }, budget, 'b', 30);
    expect(budget.used).to.equal(100);
    a.release({ rows: 1, bytes: 50 });
    expect(budget.used).to.equal(80);
    expect(await a.reserveRows(1, 20, idle).then(() => budget.used)).to.equal(100);
    expect(await b.reserve({ rows: 1, bytes: 30 }, idle)).to.equal(true);
    expect(() => open({ rows: 1, bytes: 100 }, budget, 'c', 71)).to.throw(RangeError, 'connection c');
  });

  it('keeps what is sent while paused and delivers it in order', async () => {
    const connection = open({ rows: 10, bytes: 100 });
    const delivered: string[] = [];
    const send = (label: string): void => {
      connection.send(
        label,
        { rows: 1, bytes: 1 },
        to(() => delivered.push(label)),
      );
    };
    await connection.reserve({ rows: 5, bytes: 5 }, idle);
    send('1');
    connection.pause();
    connection.send(
      '2',
      { rows: 1, bytes: 1 },
      to(() => {
        delivered.push('2');
        send('4');
      }),
    );
    send('3');
    expect(delivered).to.deep.equal(['1']);
    expect(connection.queued()).to.deep.equal([
      { label: '2', cost: { rows: 1, bytes: 1 } },
      { label: '3', cost: { rows: 1, bytes: 1 } },
    ]);
    connection.resume();
    expect(delivered).to.deep.equal(['1', '2', '3', '4']);
    expect(connection.queued()).to.deep.equal([]);
    send('5');
    expect(delivered).to.have.length(5);
  });

  it('delivers one at a time when it is told to, although paused', async () => {
    const connection = open({ rows: 10, bytes: 100 });
    const delivered: string[] = [];
    await connection.reserve({ rows: 2, bytes: 2 }, idle);
    connection.pause();
    for (const label of ['1', '2']) {
      connection.send(
        label,
        { rows: 1, bytes: 1 },
        to(() => delivered.push(label)),
      );
    }
    expect(connection.step()).to.equal(true);
    expect(delivered).to.deep.equal(['1']);
    expect(connection.queued().map(({ label }) => label)).to.deep.equal(['2']);
    expect(connection.step()).to.equal(true);
    expect(connection.step()).to.equal(false);
    expect(delivered).to.deep.equal(['1', '2']);
    expect(connection.paused).to.equal(true);
  });

  it('drops what waits, tells each, and returns its credit', async () => {
    const budget = new ByteBudget(100);
    const connection = open({ rows: 10, bytes: 100 }, budget);
    const told: string[] = [];
    await connection.reserve({ rows: 4, bytes: 40 }, idle);
    connection.send(
      'sent',
      { rows: 1, bytes: 10 },
      to(() => told.push('delivered')),
    );
    connection.pause();
    for (const label of ['1', '2']) {
      const dropped = (): void => {
        told.push(`dropped ${label}`);
      };
      connection.send(
        label,
        { rows: 1, bytes: 10 },
        to(() => expect.fail('delivered'), dropped),
      );
    }
    expect(connection.drop().map(({ label }) => label)).to.deep.equal(['1', '2']);
    expect(told).to.deep.equal(['delivered', 'dropped 1', 'dropped 2']);
    expect(connection.depth).to.deep.equal({ rows: 2, bytes: 20 });
    expect(budget.used).to.equal(20);
    connection.resume();
    expect(connection.drop()).to.deep.equal([]);
  });

  it('grants by other thresholds as soon as they are set, and nothing more above lower ones', async () => {
    const connection = open({ rows: 1, bytes: 100 });
    expect(await connection.reserveRows(5, 1, idle)).to.equal(1);
    const waiting = connection.reserveRows(5, 1, idle);
    connection.setThresholds({ rows: 4, bytes: 100 });
    expect(await waiting).to.equal(3);
    connection.setThresholds({ rows: 2, bytes: 100 });
    expect(connection.tryReserveRows(1, 1)).to.equal(0);
    connection.release({ rows: 3, bytes: 3 });
    expect(connection.tryReserveRows(5, 1)).to.equal(1);
    expect(() => {
      connection.setThresholds({ rows: 0, bytes: 100 });
    }).to.throw(RangeError, 'connection a');
  });

  it('a delivery that throws on resume holds up nothing behind it', async () => {
    const connection = open({ rows: 10, bytes: 100 });
    await connection.reserve({ rows: 2, bytes: 2 }, idle);
    connection.pause();
    const delivered: string[] = [];
    connection.send(
      'bad',
      { rows: 1, bytes: 1 },
      to(() => {
        throw new Error('no such receiver');
      }),
    );
    connection.send(
      'good',
      { rows: 1, bytes: 1 },
      to(() => delivered.push('good')),
    );
    expect(() => {
      connection.resume();
    }).to.throw('no such receiver');
    expect(delivered).to.deep.equal(['good']);
  });

  it('refuses to send what was not reserved', async () => {
    const connection = open({ rows: 10, bytes: 100 });
    await connection.reserve({ rows: 1, bytes: 1 }, idle);
    connection.pause();
    connection.send(
      'paid',
      { rows: 1, bytes: 1 },
      to(() => undefined),
    );
    expect(() => {
      connection.send(
        'unpaid',
        { rows: 1, bytes: 1 },
        to(() => undefined),
      );
    }).to.throw(RangeError, 'unpaid');
  });

  it('close gives all back, wakes all waiters, and later calls do nothing', async () => {
    const budget = new ByteBudget(100);
    const connection = open({ rows: 10, bytes: 200 }, budget, 'a', 5);
    await connection.reserve({ rows: 1, bytes: 90 }, idle);
    const byBudget = connection.reserve({ rows: 1, bytes: 11 }, idle);
    const behind = connection.reserveRows(3, 1, idle);
    connection.pause();
    connection.send(
      'kept',
      { rows: 1, bytes: 90 },
      to(() => expect.fail('delivered after close')),
    );
    connection.close();
    connection.close();
    expect(await byBudget).to.equal(false);
    expect(await behind).to.equal(0);
    expect([budget.used, budget.waiting, budget.guaranteed]).to.deep.equal([0, 0, 0]);
    connection.release({ rows: 1, bytes: 90 });
    connection.send(
      'late',
      { rows: 1, bytes: 1 },
      to(() => expect.fail('delivered after close')),
    );
    connection.resume();
    expect(await connection.reserve({ rows: 1, bytes: 1 }, idle)).to.equal(false);
    expect(connection.depth).to.deep.equal({ rows: 0, bytes: 0 });
  });
});

interface Reservation {
  readonly connection: number;
  readonly cost: Cost;
  readonly abort: AbortController;
  state: 'waiting' | 'granted' | 'aborted' | 'released';
  granted: Cost;
}

type Step =
  | {
      readonly kind: 'whole' | 'rows';
      readonly connection: number;
      readonly rows: number;
      readonly bytes: number;
    }
  | { readonly kind: 'release' | 'abort' | 'reopen'; readonly pick: number };

const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constantFrom('whole' as const, 'rows' as const),
        connection: fc.nat(2),
        rows: fc.integer({ min: 1, max: 8 }),
        bytes: fc.integer({ min: 0, max: 40 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('release' as const), pick: fc.nat(50) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom('abort' as const, 'reopen' as const),
        pick: fc.nat(50),
      }),
    },
  ),
  { maxLength: 60 },
);

describe('Connections sharing a budget, against a model', () => {
  it('never above a limit, first come first served, no lost wake-up, all released is zero', async () => {
    await fc.assert(
      fc.asyncProperty(
        steps,
        fc.integer({ min: 40, max: 120 }),
        fc.nat(20),
        async (script, limit, guarantee) => {
          const budget = new ByteBudget(limit + guarantee);
          const thresholds: Cost = { rows: 12, bytes: 60 };
          const openAgain = (name: number): Connection =>
            open(thresholds, budget, String(name), name === 0 ? guarantee : 0);
          const connections = [openAgain(0), openAgain(1), openAgain(2)];
          const all: Reservation[] = [];
          const at = (index: number): Connection => connections[index] as Connection;

          const start = (step: Extract<Step, { bytes: number }>): void => {
            const { kind, connection, rows, bytes } = step;
            const abort = new AbortController();
            const cost = kind === 'whole' ? { rows, bytes } : { rows: 1, bytes };
            const entry: Reservation = { connection, cost, abort, state: 'waiting', granted: cost };
            all.push(entry);
            const done =
              kind === 'whole'
                ? at(connection)
                    .reserve(cost, abort.signal)
                    .then((ok) => (ok ? rows : 0))
                : at(connection).reserveRows(rows, bytes, abort.signal);
            void done.then((count) => {
              expect(count).to.be.at.most(rows);
              entry.state = count === 0 ? 'aborted' : 'granted';
              entry.granted = kind === 'whole' ? cost : { rows: count, bytes: count * bytes };
            });
          };

          const check = (): void => {
            let used = 0;
            for (const [index, connection] of connections.entries()) {
              const own = all.filter((entry) => entry.connection === index);
              const held = own
                .filter((entry) => entry.state === 'granted')
                .reduce(
                  (sum, { granted }) => ({ rows: sum.rows + granted.rows, bytes: sum.bytes + granted.bytes }),
                  { rows: 0, bytes: 0 },
                );
              expect(connection.depth).to.deep.equal(held);
              expect(held.rows).to.be.at.most(thresholds.rows);
              expect(held.bytes).to.be.at.most(thresholds.bytes);
              used += index === 0 ? Math.max(held.bytes, guarantee) : held.bytes;
              const waiting = own.filter((entry) => entry.state === 'waiting');
              expect(connection.waiting).to.equal(waiting.length);
              // First come, first served: nobody granted after one that still waits.
              const firstWaiting = own.findIndex((entry) => entry.state === 'waiting');
              if (firstWaiting >= 0) {
                const later = own.slice(firstWaiting).map((entry) => entry.state);
                expect(later).not.to.include('granted');
              }
            }
            expect(budget.used).to.equal(used);
            expect(used).to.be.at.most(budget.limit);
            // No lost wake-up: somebody at the head waits only for what is really missing.
            const stuck = connections
              .map((connection, index) => {
                const head = all.find((entry) => entry.connection === index && entry.state === 'waiting');
                return head === undefined ||
                  connection.depth.rows + head.cost.rows > thresholds.rows ||
                  connection.depth.bytes + head.cost.bytes > thresholds.bytes
                  ? undefined
                  : head.cost.bytes - (index === 0 ? Math.max(guarantee - connection.depth.bytes, 0) : 0);
              })
              .filter((missing) => missing !== undefined);
            if (stuck.length > 0) {
              expect(Math.max(...stuck)).to.be.greaterThan(budget.limit - used);
            }
            expect(budget.waiting).to.equal(stuck.length);
          };

          const reopen = (index: number): void => {
            at(index).close();
            for (const entry of all.filter((one) => one.connection === index && one.state === 'granted')) {
              entry.state = 'released';
            }
            connections[index] = openAgain(index);
          };
          const release = (entry: Reservation): void => {
            entry.state = 'released';
            at(entry.connection).release(entry.granted);
          };

          for (const step of script) {
            if ('bytes' in step) {
              start(step);
            } else if (step.kind === 'reopen') {
              // The model knows the guarantee only as granted, so connection 0 stays open.
              reopen(1 + (step.pick % 2));
            } else {
              const wanted = step.kind === 'release' ? 'granted' : 'waiting';
              const candidates = all.filter((entry) => entry.state === wanted);
              const picked = candidates[step.pick % Math.max(1, candidates.length)];
              if (picked !== undefined && step.kind === 'release') {
                release(picked);
              } else {
                picked?.abort.abort();
              }
            }
            await settle();
            check();
          }
          // No starvation: releasing whatever is granted, again and again, serves everybody.
          for (let round = 0; all.some((entry) => entry.state === 'waiting'); round++) {
            expect(round).to.be.lessThan(200);
            all.filter((entry) => entry.state === 'granted').forEach(release);
            await settle();
            check();
          }
          all.filter((entry) => entry.state === 'granted').forEach(release);
          expect(budget.used).to.equal(guarantee);
          connections.forEach((connection) => {
            expect(connection.depth).to.deep.equal({ rows: 0, bytes: 0 });
            connection.close();
          });
          expect([budget.used, budget.waiting]).to.deep.equal([0, 0]);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('ConnectionRegistry', () => {
  it('lists the open connections and lets a closed one be replaced', async () => {
    const registry = new ConnectionRegistry();
    const first = registry.register(open({ rows: 10, bytes: 100 }, undefined, 'x'));
    registry.register(open({ rows: 1, bytes: 1 }, undefined, 'y'));
    await first.reserve({ rows: 10, bytes: 4 }, idle);
    void first.reserve({ rows: 1, bytes: 1 }, idle);
    first.pause();
    first.send(
      'batch',
      { rows: 2, bytes: 2 },
      to(() => undefined),
    );
    expect(registry.list()[0]).to.deep.equal({
      name: 'x',
      thresholds: { rows: 10, bytes: 100 },
      depth: { rows: 10, bytes: 4 },
      queued: [{ label: 'batch', cost: { rows: 2, bytes: 2 } }],
      paused: true,
      waits: 1,
      waiting: 1,
    });
    expect(() => registry.register(open({ rows: 1, bytes: 1 }, undefined, 'x'))).to.throw('still open');
    first.close();
    expect(registry.list().map(({ name }) => name)).to.deep.equal(['y']);
    const second = registry.register(open({ rows: 1, bytes: 1 }, undefined, 'x'));
    expect(registry.get('x')).to.equal(second);
  });

  it('pauses and limits all connections to a stage, also those that are opened later', async () => {
    const registry = new ConnectionRegistry();
    const delivered: string[] = [];
    const first = registry.register(open({ rows: 10, bytes: 100 }, undefined, 'first'));
    registry.pause('stage');
    registry.setThresholds('stage', { rows: 2, bytes: 50 });
    registry.pause('another stage');
    const second = registry.register(open({ rows: 10, bytes: 100 }, undefined, 'second'));
    for (const connection of [first, second]) {
      expect(connection.thresholds).to.deep.equal({ rows: 2, bytes: 50 });
      expect(await connection.reserveRows(10, 1, idle)).to.equal(2);
      connection.send(
        connection.name,
        { rows: 1, bytes: 1 },
        to(() => delivered.push(connection.name)),
      );
    }
    expect(registry.list().map(({ paused, queued }) => [paused, queued.length])).to.deep.equal([
      [true, 1],
      [true, 1],
    ]);
    expect(delivered).to.deep.equal([]);
    registry.resume('stage');
    expect(delivered).to.deep.equal(['first', 'second']);
    expect(registry.to('another stage')).to.deep.equal([]);
  });

  it('tells what has gone over all connections of a name, also while none is open', async () => {
    const registry = new ConnectionRegistry();
    const wide = { rows: 10, bytes: 100 };
    for (const items of [1, 2]) {
      const connection = registry.register(open(wide, undefined, 'x'));
      await connection.reserve({ rows: 10, bytes: 4 }, idle);
      void connection.reserve({ rows: 1, bytes: 1 }, idle);
      for (let item = 0; item < items; item++) {
        connection.send(
          'batch',
          { rows: 2, bytes: 2 },
          to(() => undefined),
        );
      }
      expect(registry.traffic()).to.deep.equal([{ name: 'x', sent: 2 * items - 1, waits: items }]);
      connection.close();
      connection.send(
        'late',
        { rows: 2, bytes: 2 },
        to(() => undefined),
      );
      expect(registry.traffic()).to.deep.equal([{ name: 'x', sent: 2 * items - 1, waits: items }]);
    }
    registry.register(open(wide, undefined, 'y'));
    expect(registry.traffic()).to.deep.equal([
      { name: 'x', sent: 3, waits: 2 },
      { name: 'y', sent: 0, waits: 0 },
    ]);
  });
});
