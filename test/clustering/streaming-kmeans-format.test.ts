import { expect } from 'chai';
import fc from 'fast-check';
import { SummaryFormatError } from '../../src/clustering/features.ts';
import { StreamingKMeans } from '../../src/clustering/streaming-kmeans.ts';

const points = Float64Array.from({ length: 120 }, (_, index) => Math.sin(index * index));

function create(from: 'random' | 'data', timeUnit: 'batches' | 'points' = 'points'): StreamingKMeans {
  return StreamingKMeans.create({
    k: 3,
    dimension: 2,
    forgetting: { halfLife: 40, timeUnit },
    firstCenters: { from, seed: -(2 ** 53 - 1), weight: 0.1 },
  });
}

/** The points from row `first` on, `count` rows. */
const batch = (first: number, count: number): Float64Array => points.subarray(2 * first, 2 * (first + count));

describe('encoded StreamingKMeans', () => {
  it('goes on as if it had never been written, before and after the first batch', () => {
    for (const from of ['random', 'data'] as const) {
      for (const timeUnit of ['batches', 'points'] as const) {
        const whole = create(from, timeUnit);
        let restored = StreamingKMeans.decode(create(from, timeUnit).encode());
        for (const [first, count] of [
          [0, 0],
          [0, 20],
          [20, 1],
          [21, 0],
          [21, 39],
        ] as const) {
          whole.update(batch(first, count), count);
          restored.update(batch(first, count), count);
          restored = StreamingKMeans.decode(restored.encode());
          expect(restored.encode()).to.deep.equal(whole.encode());
          expect(restored.started).to.equal(whole.started);
        }
        expect([restored.k, restored.dimension, restored.timeUnit]).to.deep.equal([3, 2, timeUnit]);
        expect(restored.predict(batch(7, 1))).to.equal(whole.predict(batch(7, 1)));
      }
    }
  });

  it('does not change over versions: checkpoints depend on it', () => {
    const model = StreamingKMeans.create({
      k: 1,
      dimension: 2,
      forgetting: { decayFactor: 0.5, timeUnit: 'points' },
      firstCenters: { from: 'given', centers: Float64Array.of(-2, 1), weights: Float64Array.of(3) },
    });
    expect(Buffer.from(model.encode()).toString('hex')).to.equal(
      '01010000' +
        '01000000' +
        '02000000' +
        '00000000' +
        '000000000000e03f' +
        '0000000000000000' +
        '00000000000000c0' +
        '000000000000f03f' +
        '0000000000000840',
    );
    const waiting = create('data', 'batches').encode();
    expect([...waiting.subarray(0, 4)]).to.deep.equal([1, 0, 1, 0]);
    expect([...waiting.subarray(24, 32)]).to.deep.equal([1, 0, 0, 0, 0, 0, 0xe0, 0xff]);
  });

  it('refuses another version, and says which', () => {
    const bytes = create('random').encode();
    bytes[0] = 2;
    expect(() => StreamingKMeans.decode(bytes)).to.throw(SummaryFormatError, 'version 2; this program reads');
    expect(() => StreamingKMeans.decode(new Uint8Array(0))).to.throw(SummaryFormatError, 'empty');
  });

  it('refuses cut bytes, and longer ones', () => {
    const bytes = create('random').encode();
    for (let length = 0; length < bytes.length; length++) {
      expect(() => StreamingKMeans.decode(bytes.subarray(0, length))).to.throw(SummaryFormatError);
    }
    expect(() => StreamingKMeans.decode(Buffer.concat([bytes, Buffer.alloc(8)]))).to.throw(
      SummaryFormatError,
    );
  });

  it('refuses what no state can be', () => {
    const damages: [what: string, from: 'random' | 'data', (view: DataView) => void][] = [
      [
        'unit',
        'random',
        (view) => {
          view.setUint8(1, 2);
        },
      ],
      [
        'header',
        'random',
        (view) => {
          view.setUint8(2, 2);
        },
      ],
      [
        'header',
        'random',
        (view) => {
          view.setUint8(3, 1);
        },
      ],
      [
        'header',
        'random',
        (view) => {
          view.setUint32(12, 1, true);
        },
      ],
      [
        'shape',
        'random',
        (view) => {
          view.setUint32(4, 0, true);
        },
      ],
      [
        'shape',
        'random',
        (view) => {
          view.setUint32(8, 2000, true);
        },
      ],
      [
        'length',
        'random',
        (view) => {
          view.setUint32(4, 4, true);
        },
      ],
      [
        'decay',
        'random',
        (view) => {
          view.setFloat64(16, Number.NaN, true);
        },
      ],
      [
        'decay',
        'random',
        (view) => {
          view.setFloat64(16, 1.5, true);
        },
      ],
      [
        'seed',
        'random',
        (view) => {
          view.setBigInt64(24, 1n, true);
        },
      ],
      [
        'seed',
        'data',
        (view) => {
          view.setBigInt64(24, 2n ** 60n, true);
        },
      ],
      [
        'coordinate',
        'random',
        (view) => {
          view.setFloat64(32, Number.NaN, true);
        },
      ],
      [
        'coordinate',
        'random',
        (view) => {
          view.setFloat64(72, 1e200, true);
        },
      ],
      [
        'weight',
        'random',
        (view) => {
          view.setFloat64(80, -1, true);
        },
      ],
      [
        'weight',
        'random',
        (view) => {
          view.setFloat64(96, Infinity, true);
        },
      ],
      [
        'first batch',
        'data',
        (view) => {
          view.setFloat64(40, 1, true);
        },
      ],
      [
        'first batch',
        'data',
        (view) => {
          view.setFloat64(88, 1, true);
        },
      ],
    ];
    for (const [what, from, damage] of damages) {
      const bytes = create(from).encode();
      damage(new DataView(bytes.buffer));
      expect(() => StreamingKMeans.decode(bytes), what).to.throw(SummaryFormatError, what);
    }
  });

  it('never fails in another way on damaged bytes, and what it reads it writes again', () => {
    const bytes = create('random').encode();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = bytes.slice();
        damaged[at] = (damaged[at] as number) ^ flip;
        let model: StreamingKMeans;
        try {
          model = StreamingKMeans.decode(damaged);
        } catch (error) {
          expect(error).to.be.instanceOf(SummaryFormatError);
          return;
        }
        expect(model.encode()).to.deep.equal(damaged);
      }),
      { numRuns: 2000 },
    );
  });
});
