import { expect } from 'chai';
import fc from 'fast-check';
import {
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  parseUtcOffset,
} from '../../src/config/units.ts';

describe('units', () => {
  const durations: readonly (readonly [string, number | undefined])[] = [
    ['500ms', 500],
    ['60s', 60_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['1.5m', 90_000],
    ['0.3s', 300],
    ['10 s', 10_000],
    ['10S', 10_000],
    ['0', 0],
    ['60', undefined],
    ['-5s', undefined],
    ['5 weeks', undefined],
    ['s', undefined],
    ['', undefined],
    ['0.5ms', undefined],
    ['1e3s', undefined],
  ];
  for (const [text, ms] of durations) {
    it(`reads the duration "${text}" as ${String(ms)}`, () => {
      expect(parseDuration(text)).to.equal(ms);
    });
  }

  const sizes: readonly (readonly [string, number | undefined])[] = [
    ['32MiB', 33_554_432],
    ['10GiB', 10_737_418_240],
    ['64KiB', 65_536],
    ['1.5KiB', 1536],
    ['1MB', 1_000_000],
    ['512B', 512],
    ['4096', 4096],
    ['0', 0],
    ['1.5', undefined],
    ['64K', undefined],
    ['-1', undefined],
    ['9999999TiB', undefined],
  ];
  for (const [text, bytes] of sizes) {
    it(`reads the size "${text}" as ${String(bytes)}`, () => {
      expect(parseSize(text)).to.equal(bytes);
    });
  }

  const offsets: readonly (readonly [string, number | undefined])[] = [
    ['UTC', 0],
    ['utc', 0],
    ['Z', 0],
    ['+02:00', 120],
    ['-0330', -210],
    ['+14:00', 840],
    ['+14:30', undefined],
    ['+02:60', undefined],
    ['Europe/Berlin', undefined],
    ['2', undefined],
  ];
  for (const [text, minutes] of offsets) {
    it(`reads the offset "${text}" as ${String(minutes)}`, () => {
      expect(parseUtcOffset(text)).to.equal(minutes);
    });
  }

  it('reads back what it prints', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 45), (value) => {
        expect(parseDuration(formatDuration(value))).to.equal(value);
        expect(parseSize(formatSize(value))).to.equal(value);
      }),
    );
  });

  it('prints the largest unit that divides evenly', () => {
    expect([90_000, 120_000, 1500, 0].map(formatDuration)).to.deep.equal(['90s', '2m', '1500ms', '0ms']);
    expect([65_536, 1000].map(formatSize)).to.deep.equal(['64KiB', '1000B']);
  });
});
