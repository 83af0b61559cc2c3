import { expect } from 'chai';
import { FanOut } from '../../../src/actors/partition/fan-out.ts';
import { ROW_BYTES } from '../../../src/actors/partition/row-buffer.ts';
import type { RegionMessage } from '../../../src/actors/region/messages.ts';
import { addressOf } from '../../../src/system/actor.ts';
import { ByteBudget } from '../../../src/system/budget.ts';
import { Connection } from '../../../src/system/connection.ts';

type Rows = Extract<RegionMessage, { type: 'rows' }>;

const CAPACITY = 65_536;

/** A fan-out whose rows come to rest in `received`. */
function fanOut(capacity: number): { fan: FanOut; connection: Connection; received: Rows[] } {
  const connection = new Connection({
    name: 'rows',
    receiver: 'regions',
    thresholds: { rows: 262_144, bytes: 262_144 * ROW_BYTES },
    budget: new ByteBudget(262_144 * ROW_BYTES),
  });
  const received: Rows[] = [];
  const fan = new FanOut({
    capacity,
    regions: 8,
    connection,
    regionFor: (region) => addressOf<RegionMessage>(`region-${String(region)}`),
    tell: (_to, message) => {
      if (message.type === 'rows') {
        received.push(message);
      }
      return true;
    },
    foldFailed: () => undefined,
    discarded: () => undefined,
  });
  return { fan, connection, received };
}

/** Puts rows into the buffer as the partition does: with credit. */
function collect(
  fan: FanOut,
  connection: Connection,
  rows: readonly { region: number; time: number }[],
): void {
  expect(connection.tryReserveRows(rows.length, ROW_BYTES)).to.equal(rows.length);
  for (const { region, time } of rows) {
    fan.buffer.region[fan.buffer.rows] = region;
    fan.buffer.time[fan.buffer.rows] = time;
    fan.buffer.rows++;
  }
}

describe('the fan-out', () => {
  it('gives each region its rows in their order, and returns the credit of each part', () => {
    const { fan, connection, received } = fanOut(16);
    const order = [3, 1, 3, 3, 1, 7, 3];
    collect(
      fan,
      connection,
      order.map((region, time) => ({ region, time })),
    );
    fan.send();
    expect(received.map(({ rows, from, to }) => [...rows.time.subarray(from, to)])).to.deep.equal([
      [1, 4],
      [0, 2, 3, 6],
      [5],
    ]);
    expect(fan.room).to.equal(16);
    for (const [handled, left] of [
      [0, 5],
      [2, 4],
      [1, 0],
    ] as const) {
      received[handled]?.handled();
      expect(connection.depth).to.deep.equal({ rows: left, bytes: left * ROW_BYTES });
    }
  });

  it('rows on their way take the memory they have credit for, not that of a full buffer', () => {
    const { fan, connection, received } = fanOut(CAPACITY);
    for (let send = 0; send < 500; send++) {
      collect(fan, connection, [{ region: send % 8, time: send }]);
      fan.send();
    }
    const bytes = received.reduce((sum, { rows }) => sum + rows.x.buffer.byteLength, 0);
    expect(received).to.have.lengthOf(500);
    expect(bytes).to.equal(500 * Float64Array.BYTES_PER_ELEMENT);
  });

  it('behind slow regions rows wait for company instead of going out one by one', async () => {
    const { fan, connection, received } = fanOut(CAPACITY);
    for (let row = 0; row < 500; row++) {
      collect(fan, connection, [{ region: 0, time: row }]);
      fan.offer();
    }
    const first = received.length;
    expect(first).to.be.within(1, 100);
    received[0]?.handled();
    fan.offer();
    expect(received).to.have.lengthOf(first + 1);
    expect(fan.buffer.rows).to.equal(0);
    const times = received.flatMap(({ rows, from, to }) => [...rows.time.subarray(from, to)]);
    expect(times).to.deep.equal(Array.from({ length: 500 }, (_, row) => row));

    const idle = fan.idle(new AbortController().signal);
    for (const { handled } of received.slice(1)) {
      handled();
    }
    await idle;
    expect(connection.depth.rows).to.equal(0);
  });
});
