import { expect } from 'chai';
import type { RegionSummary } from '../../src/clustering/region-summary.ts';

/** All that would be stored of a summary. */
export function partsOf(summary: RegionSummary): ReadonlyMap<string, Uint8Array> {
  return new Map(summary.parts().map(({ encode, name }) => [name, encode()]));
}

/** The same as one text of bytes, with the names. */
export function joined(summary: RegionSummary): Uint8Array {
  return Buffer.concat([...partsOf(summary)].flatMap(([name, bytes]) => [Buffer.from(`${name}\n`), bytes]));
}

export function sameBytes(a: RegionSummary, b: RegionSummary): void {
  expect(Buffer.compare(joined(a), joined(b))).to.equal(0);
}
