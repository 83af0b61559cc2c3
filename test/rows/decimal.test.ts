import { expect } from 'chai';
import fc from 'fast-check';

import { NOT_PLAIN, parseDecimal, readDecimal, readPlainDecimal } from '../../src/rows/decimal.ts';
import { naiveNumber } from './naive.ts';
import { bytesOf } from './support.ts';

/** Mulberry32: a small seeded generator, so that a failure can be repeated. */
function randomSource(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Reads each text, followed by a comma, out of one buffer; returns the share read by the plain way. */
function checkAll(texts: readonly string[], hint: string): number {
  const bytes = bytesOf(`${texts.join(',')},padding`);
  const view = new DataView(bytes.buffer);
  const out = new Float64Array(1);
  let at = 0;
  let plain = 0;
  for (const text of texts) {
    const end = at + text.length;
    const stop = readPlainDecimal(bytes, view, at, out, 0);
    if (stop === end) plain++;
    else if (!readDecimal(bytes, at, end, out, 0)) throw new Error(`${text} is refused (${hint})`);
    if (!Object.is(out[0], Number(text))) throw new Error(`${text} is read as ${String(out[0])} (${hint})`);
    at = end + 1;
  }
  return plain / texts.length;
}

/** The decimal nearest to the middle between a double and its upper neighbour, to `digits` places. */
function nearMiddle(value: number, digits: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const exponent = Number(bits >> 52n) - 1075;
  const twiceMantissa = ((bits & ((1n << 52n) - 1n)) | (1n << 52n)) * 2n + 1n;
  const scaled = (twiceMantissa * 10n ** BigInt(digits)) / 2n ** BigInt(1 - exponent);
  const text = scaled.toString().padStart(digits + 1, '0');
  return `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

describe('decimal numbers', () => {
  const seed = Date.now() | 0;

  it('are the bits of Number(text) for the digits a double prints', () => {
    const random = randomSource(seed);
    const texts = Array.from({ length: 60_000 }, (_, index) => {
      const value = (random() - 0.5) * (index % 2 === 0 ? 360 : 20);
      return index % 3 === 0 ? value.toFixed(Math.floor(random() * 17)) : String(value);
    });
    expect(checkAll(texts, `seed ${String(seed)}`)).to.be.above(0.9);
  });

  it('are the bits of Number(text) for any digits', () => {
    const random = randomSource(seed);
    const digits = (count: number): string => {
      let text = '';
      for (let i = 0; i < count; i++) text += String(Math.floor(random() * 10));
      return text;
    };
    const texts = Array.from({ length: 60_000 }, () => {
      const whole = digits(Math.floor(random() * 4));
      const fraction = digits(Math.floor(random() * 18));
      const sign = ['', '-', '+', '-'][Math.floor(random() * 4)] as string;
      const exponent = random() < 0.2 ? `e${String(Math.floor(random() * 640) - 320)}` : '';
      return `${sign}${whole === '' && fraction === '' ? '0' : whole}.${fraction}${exponent}`;
    });
    expect(checkAll(texts, `seed ${String(seed)}`)).to.be.above(0.3);
  });

  it('are the bits of Number(text) next to the middle between two doubles', () => {
    const random = randomSource(seed);
    const texts = Array.from({ length: 20_000 }, () => {
      const value = random() * 10 ** Math.floor(random() * 4 - 1);
      return nearMiddle(value, 12 + Math.floor(random() * 5));
    });
    expect(checkAll(texts, `seed ${String(seed)}`)).to.be.above(0.9);
  });

  it('are read from one byte string to the next without looking beyond it', () => {
    for (const text of ['1', '12.5', '-0.25', '152.03699879955013']) {
      const bytes = bytesOf(text);
      const view = new DataView(bytes.buffer);
      const out = new Float64Array(1);
      expect(readPlainDecimal(bytes, view, 0, out, 0), text).to.be.oneOf([NOT_PLAIN, text.length]);
      expect(readDecimal(bytes, 0, bytes.length, out, 0), text).to.equal(true);
      expect(out[0], text).to.equal(Number(text));
    }
  });

  for (const text of [
    '1e-05',
    '+1.5',
    '.5',
    '5.',
    '1E3',
    '-0',
    '0',
    '000.5',
    '-.5e+1',
    ' 1.5',
    '\t2 ',
    '1e999',
  ]) {
    it(`accept ${JSON.stringify(text)}`, () => {
      expect(parseDecimal(text)).to.equal(Number(text));
    });
  }

  it('keep the sign of zero', () => {
    expect(Object.is(parseDecimal('-0.0'), -0)).to.equal(true);
  });

  for (const text of [
    '',
    ' ',
    '.',
    '-',
    '+',
    'e5',
    '1e',
    '1e+',
    '1.5.2',
    '--1',
    '+-1',
    'nan',
    'NaN',
    'inf',
    'Infinity',
    '-Infinity',
    '0x10',
    '0b1',
    '1_0',
    '1,5',
    '1 5',
    '1n',
    '12a',
    '٣',
    '1\u00a0',
    '1\r',
    '1d5',
    '- 1',
  ]) {
    it(`refuse ${JSON.stringify(text)}`, () => {
      expect(parseDecimal(text)).to.be.NaN;
    });
  }

  it('agree with the grammar on any text of their letters', () => {
    const text = fc.string({
      unit: fc.constantFrom('0', '0', '1', '9', '.', '-', '+', 'e', 'E', ' ', 'x', '_'),
      maxLength: 8,
    });
    fc.assert(
      fc.property(text, (value) => {
        const expected = naiveNumber(value.trim()) ?? Number.NaN;
        return Object.is(parseDecimal(value), expected);
      }),
      { numRuns: 10_000 },
    );
  });
});
