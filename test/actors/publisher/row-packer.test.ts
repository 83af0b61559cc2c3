import { expect } from 'chai';
import fc from 'fast-check';
import { MAX_MESSAGE_BYTES, packing, RowPacker } from '../../../src/actors/publisher/row-packer.ts';
import type { OutgoingRecord } from '../../../src/broker/broker.ts';
import { partitionOf } from '../../../src/broker/partitioner.ts';
import { latitude, longitude } from '../../../src/geo/axes.ts';
import { regionOf, regionToken } from '../../../src/geo/s2.ts';
import { unitVector } from '../../../src/geo/sphere.ts';
import { allocateColumns } from '../../../src/rows/columns.ts';
import { readHeader } from '../../../src/rows/header.ts';
import { decodeOrigin } from '../../../src/rows/origin.ts';
import { createTopicLineWriter } from '../../../src/rows/topic-line.ts';
import { createTypeScriptKernel } from '../../../src/rows/typescript-kernel.ts';
import { HEADER } from './ingest-run.ts';

const LEVEL = 1;
const PARTITIONS = 3;
const CAPACITY = 4_096;
const FILE_BYTE = 1_000;
const FIRST_LINE = 40;

const kernelOptions = { utcOffsetMinutes: 0, maxLineBytes: 131_072, maxTime: Number.POSITIVE_INFINITY };

/** One line as a person would write it down: its text, its place in the file and its region. */
interface Plain {
  readonly text: string;
  readonly line: number;
  readonly byte: number;
  readonly token: string;
}

function pack(
  header: string,
  lines: readonly string[],
  linesPerMessage: number | 'auto' = 'auto',
): Promise<ReadonlyMap<number, readonly OutgoingRecord[]>> {
  const mapping = readHeader(header);
  if (mapping.kind === 'unusable') {
    throw new Error(mapping.message);
  }
  const text = Buffer.from(lines.map((line) => `${line}\n`).join(''));
  const bytes = Buffer.alloc(2 * text.length + 1);
  text.copy(bytes);
  const columns = allocateColumns(CAPACITY);
  const kernel = createTypeScriptKernel({ ...kernelOptions, layout: mapping.layout });
  const parsed = kernel.parse(bytes, 0, text.length, true, columns, 0, CAPACITY);
  const packer = new RowPacker({
    level: LEVEL,
    partitions: PARTITIONS,
    capacity: CAPACITY,
    packing: packing(linesPerMessage, true),
    originHeader: 'one-origin',
  });
  return packer.pack({
    bytes,
    start: 0,
    end: text.length,
    spare: text.length,
    fileByte: FILE_BYTE,
    firstLine: FIRST_LINE,
    columns,
    rows: parsed.rows,
    fileId: 'file-1',
    writer: createTopicLineWriter(mapping, 0),
    timestamp: 7,
  });
}

function unpacked(messages: ReadonlyMap<number, readonly OutgoingRecord[]>): Plain[] {
  const found: Plain[] = [];
  for (const [partition, records] of messages) {
    for (const { headers, key, timestamp, value } of records) {
      const token = key ?? expect.fail('no key');
      expect(partition).to.equal(partitionOf(token, PARTITIONS));
      expect(timestamp).to.equal(7);
      const origin = headers?.['one-origin'];
      const places = decodeOrigin(origin instanceof Uint8Array ? origin : expect.fail('no origin'));
      expect(value?.length).to.be.below(MAX_MESSAGE_BYTES);
      const lines = Buffer.from(value ?? [])
        .toString('utf8')
        .split('\n');
      expect([places.fileId, places.lines.length]).to.deep.equal(['file-1', lines.length]);
      for (const [index, text] of lines.entries()) {
        found.push({ text, line: places.lines[index] ?? -1, byte: places.bytes[index] ?? -1, token });
      }
    }
  }
  return found;
}

interface Place {
  readonly lon: number;
  readonly lat: number;
}

function tokenOf({ lat, lon }: Place): string {
  const [x, y, z] = unitVector({ longitude: longitude(lon), latitude: latitude(lat) });
  return regionToken(regionOf(x, y, z, LEVEL), LEVEL);
}

/** The forms of a file: what stands in it, and what is to stand on the topic. */
const FORMS = {
  'as it is': {
    header: HEADER,
    source: ({ lat, lon }: Place, pad: string) =>
      `2026-01-01 00:00:00.000,d${pad},0,0,9,${String(lon)},${String(lat)},1`,
  },
  'with its carriage returns left out': {
    header: HEADER,
    source: ({ lat, lon }: Place, pad: string) =>
      `2026-01-01 00:00:00.000,d${pad},0,0,9,${String(lon)},${String(lat)},1\r`,
  },
  "rewritten in the topic's order": {
    header: 'locked,latitude,longitude,acceloZ,acceloY,acceloX,deviceId,timepoint',
    source: ({ lat, lon }: Place, pad: string) =>
      `1,${String(lat)},${String(lon)},9,0,0,d${pad},2026-01-01 00:00:00.000`,
  },
} as const;

const place = fc.record({ lon: fc.integer({ min: -180, max: 180 }), lat: fc.integer({ min: -90, max: 90 }) });
/** A row at a place with a device id of some length, a blank line, or one that is rejected. */
const anyLine = fc.oneof(
  { weight: 8, arbitrary: fc.record({ place, pad: fc.constantFrom(0, 1, 50, 5_000) }) },
  fc.constantFrom('', 'bad'),
);

const linesPerMessage = fc.constantFrom<number | 'auto'>('auto', 1, 2, 7);

function linesIn(value: Uint8Array | null): number {
  return Buffer.from(value ?? [])
    .toString()
    .split('\n').length;
}

describe('the row packer', () => {
  for (const [what, { header, source }] of Object.entries(FORMS)) {
    it(`brings every accepted line once, ${what}, in order, by region, with its exact origin`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(anyLine, { maxLength: 60 }), linesPerMessage, async (script, most) => {
          const lines = script.map((one) =>
            typeof one === 'string' ? one : source(one.place, 'x'.repeat(one.pad)),
          );
          const expected: Plain[] = [];
          let byte = FILE_BYTE;
          for (const [index, one] of script.entries()) {
            if (typeof one !== 'string') {
              const text = FORMS['as it is'].source(one.place, 'x'.repeat(one.pad));
              expected.push({ text, line: FIRST_LINE + index, byte, token: tokenOf(one.place) });
            }
            byte += Buffer.byteLength(lines[index] ?? '') + 1;
          }
          const messages = await pack(header, lines, most);
          if (most !== 'auto') {
            for (const { value } of [...messages.values()].flat()) {
              expect(linesIn(value)).to.be.at.most(most);
            }
          }
          const found = unpacked(messages);
          expect(new Set(found.map(({ token }) => token)).size).to.equal(
            new Set(expected.map(({ token }) => token)).size,
          );
          for (const token of new Set(expected.map((line) => line.token))) {
            const of = (all: readonly Plain[]): Plain[] => all.filter((line) => line.token === token);
            expect(of(found)).to.deep.equal(of(expected));
          }
          expect(found.length).to.equal(expected.length);
        }),
        { numRuns: 40 },
      );
    });
  }

  it('splits a region at the message size, and gives a line that is longer a message of its own', async () => {
    const line = (pad: number): string => FORMS['as it is'].source({ lon: 1, lat: 1 }, 'x'.repeat(pad));
    const fits = Math.floor((MAX_MESSAGE_BYTES - 1) / (line(1_000).length + 1));
    const lines = [...Array.from({ length: fits + 1 }, () => line(1_000)), line(70_000), line(1)];
    const messages = [...(await pack(HEADER, lines)).values()].flat();
    const counts = messages.map(({ value }) => linesIn(value));
    expect(counts).to.deep.equal([fits, 1, 1, 1]);
  });

  it('puts as many lines into a message as it is told to', async () => {
    const lines = Array.from({ length: 7 }, () => FORMS['as it is'].source({ lon: 1, lat: 1 }, ''));
    const counts = async (most: number): Promise<number[]> =>
      [...(await pack(HEADER, lines, most)).values()].flat().map(({ value }) => linesIn(value));
    expect(await counts(1)).to.deep.equal([1, 1, 1, 1, 1, 1, 1]);
    expect(await counts(3)).to.deep.equal([3, 3, 1]);
    expect(await counts(7)).to.deep.equal([7]);
  });

  describe('packing', () => {
    const cases: readonly (readonly [number | 'auto', boolean, number, RegExp])[] = [
      ['auto', true, Number.POSITIVE_INFINITY, /^messages of up to 64 KiB: Geoflock made the topic$/],
      ['auto', false, 1, /^messages of one line: the topic was there before/],
      [1, true, 1, /^messages of one line, as publisher\.linesPerMessage says$/],
      [500, false, 500, /^messages of up to 500 lines/],
    ];
    for (const [wanted, ours, lines, reason] of cases) {
      it(`is ${String(lines)} for ${String(wanted)} on a topic that is ${ours ? '' : 'not '}ours`, () => {
        const decided = packing(wanted, ours);
        expect(decided.linesPerMessage).to.equal(lines);
        expect(decided.reason).to.match(reason);
      });
    }
  });

  it('refuses more rows than it has room for', async () => {
    const packer = new RowPacker({
      level: LEVEL,
      partitions: 1,
      capacity: 1,
      packing: packing('auto', true),
      originHeader: 'one-origin',
    });
    const mapping = readHeader(HEADER);
    if (mapping.kind === 'unusable') {
      throw new Error(mapping.message);
    }
    const parsed = {
      bytes: Buffer.alloc(0),
      start: 0,
      end: 0,
      spare: 0,
      fileByte: 0,
      firstLine: 1,
      columns: allocateColumns(2),
      rows: 2,
      fileId: 'f',
      writer: createTopicLineWriter(mapping, 0),
      timestamp: 0,
    };
    const refused = await packer.pack(parsed).catch((error: unknown) => error);
    expect(refused).to.be.instanceOf(RangeError).and.to.have.property('message', '2 rows, capacity 1');
  });
});
