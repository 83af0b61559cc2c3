import { EventEmitter } from 'node:events';
import { expect } from 'chai';
import type { Outcome } from '../../../src/admin/outcome.ts';
import { StatusEvents } from '../../../src/doors/http/events.ts';
import { SimulatedClock } from '../../support/simulated-clock.ts';
import { within } from '../../support/within.ts';
import { ANSWERS_MS, ask, openDoor } from './door.ts';

class Reader extends EventEmitter {
  readonly written: string[] = [];
  writableLength = 0;
  ended = false;
  destroyed = false;

  write(text: string): boolean {
    this.written.push(text);
    return true;
  }

  end(): this {
    this.ended = true;
    this.emit('close');
    return this;
  }

  destroy(): this {
    this.destroyed = true;
    this.emit('close');
    return this;
  }
}

describe('events', () => {
  const setUp = (
    sample: () => Promise<Outcome> = () => Promise.resolve({ status: 'done', result: { state: 'running' } }),
  ): {
    clock: SimulatedClock;
    events: StatusEvents;
    read: () => Reader;
    counts: { samples: number; dropped: number };
  } => {
    const clock = new SimulatedClock();
    const counts = { samples: 0, dropped: 0 };
    const events = new StatusEvents({
      clock,
      limits: { eventsEveryMs: 1_000, readers: 3, waitingBytes: 100 },
      sample: () => {
        counts.samples++;
        return sample();
      },
      dropped: () => {
        counts.dropped++;
      },
    });
    const read = (): Reader => {
      const reader = new Reader();
      events.admit()(reader as never);
      return reader;
    };
    return { clock, events, read, counts };
  };

  it('are asked for while somebody reads, once for all', async () => {
    const { clock, counts, read } = setUp();
    await clock.advance(10_000);
    expect([counts.samples, clock.pending]).to.deep.equal([0, 0]);
    const readers = [read(), read(), read()];
    await clock.advance(2_000);
    expect(counts.samples).to.equal(3);
    const event = 'event: status\ndata: {"state":"running"}\n\n';
    expect(readers.map(({ written }) => written)).to.deep.equal(
      Array(3).fill(['retry: 3000\n\n', event, event, event]),
    );
    for (const reader of readers) {
      reader.emit('close');
    }
    await clock.advance(10_000);
    expect([counts.samples, clock.pending]).to.deep.equal([3, 0]);
    read();
    await clock.advance(0);
    expect(counts.samples).to.equal(4);
  });

  it('are for so many readers', () => {
    const { events, read } = setUp();
    const [first] = [read(), read(), read()];
    expect(() => events.admit()).to.throw('there are 3 readers of events');
    first.emit('close');
    read();
    expect(events.readers).to.equal(3);
  });

  it('tell a problem in the place of a status', async () => {
    const error = { code: 'unavailable', message: 'the broker does not answer' } as const;
    const { clock, read } = setUp(() => Promise.resolve({ status: 'failed', error }));
    const { written } = read();
    await clock.advance(0);
    expect(written[1]).to.equal(`event: problem\ndata: ${JSON.stringify({ error })}\n\n`);
  });

  it('are comments while there is no answer, and nothing more is asked', async () => {
    const { clock, counts, read } = setUp(() => new Promise(() => undefined));
    const { written } = read();
    await clock.advance(3_000);
    expect(counts.samples).to.equal(1);
    expect(written.slice(1)).to.deep.equal(Array(3).fill(': nothing new yet\n\n'));
  });

  it('drop who does not take them, and no other', async () => {
    const { clock, counts, read } = setUp();
    const [slow, other] = [read(), read()];
    slow.writableLength = 101;
    other.writableLength = 100;
    await clock.advance(1_000);
    expect([slow.destroyed, slow.written.length, counts.dropped]).to.deep.equal([true, 1, 1]);
    expect([other.destroyed, other.written.length]).to.deep.equal([false, 3]);
  });

  it('end for all', async () => {
    const { clock, events, read } = setUp();
    const readers = [read(), read()];
    events.close();
    expect(readers.map(({ ended }) => ended)).to.deep.equal([true, true]);
    await clock.advance(5_000);
    expect(clock.pending).to.equal(0);
  });

  it('come over HTTP until the door closes, and leave nothing behind', async () => {
    const door = await openDoor({ limits: { readers: 1, eventsEveryMs: 10, closeMs: 3_600_000 } });
    const response = await fetch(`${door.url}/api/v1/events`);
    expect(response.headers.get('content-type')).to.equal('text/event-stream');
    expect(response.headers.get('cache-control')).to.equal('no-store');
    expect((await ask(door, '/api/v1/events')).status).to.equal(429);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let received = '';
    while (received.split('event: status').length < 4) {
      const { value } = await within(ANSWERS_MS, 'an event', reader.read());
      received += Buffer.from(value ?? []).toString();
    }
    expect(door.looks.count).to.be.greaterThan(2);
    expect(door.requests).to.deep.equal([]);
    const closing = door.close();
    while (!(await within(ANSWERS_MS, 'the end of events', reader.read())).done);
    await within(ANSWERS_MS, 'the end', closing);
  });
});
