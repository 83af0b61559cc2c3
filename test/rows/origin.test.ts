import { expect } from 'chai';
import fc from 'fast-check';

import { createOriginEncoder, decodeOrigin, encodeOrigin } from '../../src/rows/origin.ts';

describe('the origin of a message', () => {
  it('is read back as it was written, by one encoder for many messages', () => {
    const encoder = createOriginEncoder();
    const gap = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 2 ** 40 }));
    const message = fc.record({
      fileId: fc.string({ unit: 'grapheme', maxLength: 40 }),
      gaps: fc.array(fc.tuple(gap, gap), { maxLength: 50 }),
    });
    fc.assert(
      fc.property(message, ({ fileId, gaps }) => {
        const lines: number[] = [];
        const bytes: number[] = [];
        let line = 0;
        let byte = 0;
        encoder.start(fileId);
        for (const [lineGap, byteGap] of gaps) {
          line += lineGap;
          byte += byteGap;
          lines.push(line);
          bytes.push(byte);
          encoder.append(line, byte);
        }
        expect(encoder.count).to.equal(gaps.length);
        const header = encoder.finish();
        expect(header.length).to.equal(encoder.size);
        expect(header).to.deep.equal(encodeOrigin(fileId, lines, bytes));
        const origin = decodeOrigin(header);
        expect(origin.fileId).to.equal(fileId);
        expect([...origin.lines]).to.deep.equal(lines);
        expect([...origin.bytes]).to.deep.equal(bytes);
      }),
      { numRuns: 500 },
    );
  });

  it('holds as many lines as there are, also a long file id', () => {
    const lines = Array.from({ length: 20_000 }, (_, index) => index * 1_000);
    const fileId = 'f'.repeat(10_000);
    const origin = decodeOrigin(encodeOrigin(fileId, lines, lines));
    expect(origin.fileId).to.equal(fileId);
    expect([...origin.lines]).to.deep.equal(lines);
    expect([...origin.bytes]).to.deep.equal(lines);
  });

  it('holds any safe integer', () => {
    const origin = decodeOrigin(
      encodeOrigin('f', [0, Number.MAX_SAFE_INTEGER], [7, Number.MAX_SAFE_INTEGER]),
    );
    expect([...origin.lines]).to.deep.equal([0, Number.MAX_SAFE_INTEGER]);
    expect([...origin.bytes]).to.deep.equal([7, Number.MAX_SAFE_INTEGER]);
  });

  it('takes at most five bytes a line among 384 regions', () => {
    const lines = Array.from({ length: 400 }, (_, index) => 1 + index * 384);
    const header = encodeOrigin(
      '0123456789abcdef01234567',
      lines,
      lines.map((line) => line * 158),
    );
    expect((header.length - 30) / lines.length).to.be.at.most(5);
  });

  it('owns the bytes of its header', () => {
    const encoder = createOriginEncoder();
    encoder.start('first');
    encoder.append(1, 0);
    const header = encoder.finish();
    encoder.start('other');
    encoder.append(9, 9);
    expect(decodeOrigin(header).fileId).to.equal('first');
    expect([...decodeOrigin(header).lines]).to.deep.equal([1]);
  });

  it('is kept whole while thousands more come from one encoder, small and large, of other files', () => {
    const encoder = createOriginEncoder();
    const many = Array.from({ length: 5_000 }, (_, index) => ({
      fileId: `file-${String(Math.floor(index / 3))}`,
      lines: Array.from({ length: index % 500 === 0 ? 2_000 : 1 }, (_line, line) => index + line),
    }));
    const headers = many.map(({ fileId, lines }) => {
      encoder.start(fileId);
      for (const line of lines) {
        encoder.append(line, 100 * line);
      }
      return encoder.finish();
    });
    for (const [index, header] of headers.entries()) {
      const { bytes, fileId, lines } = decodeOrigin(header);
      expect({ fileId, lines: [...lines] }).to.deep.equal(many[index]);
      expect([...bytes]).to.deep.equal([...lines].map((line) => 100 * line));
    }
  });

  it('refuses lines that go backwards or are no integers', () => {
    const encoder = createOriginEncoder();
    encoder.start('file');
    encoder.append(5, 100);
    expect(() => {
      encoder.append(4, 200);
    }).to.throw(RangeError, /does not follow line 5 at byte 100/);
    expect(() => {
      encoder.append(6, 99);
    }).to.throw(RangeError);
    expect(() => {
      encoder.append(6.5, 200);
    }).to.throw(RangeError);
    expect(() => {
      encoder.append(2 ** 53, 200);
    }).to.throw(RangeError);
    expect(() => encodeOrigin('file', [1], [])).to.throw(RangeError, /1 line numbers, but 0/);
  });

  it('of another format version is refused with what to do', () => {
    const header = encodeOrigin('file', [1], [0]);
    header[0] = 2;
    expect(() => decodeOrigin(header)).to.throw(/format version 2, this program knows 1/);
    expect(() => decodeOrigin(new Uint8Array(0))).to.throw(/format version undefined/);
  });

  it('that was cut or has more is refused', () => {
    const header = encodeOrigin('file', [1, 200, 70_000], [0, 31_000, 11_000_000]);
    for (let length = 1; length < header.length; length++) {
      expect(() => decodeOrigin(header.subarray(0, length)), String(length)).to.throw(/damaged/);
    }
    expect(() => decodeOrigin(Uint8Array.of(...header, 0))).to.throw(/damaged/);
  });

  it('never reads beyond its bytes, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          const origin = decodeOrigin(Uint8Array.of(1, ...bytes));
          return origin.lines.length === origin.bytes.length && 2 * origin.lines.length <= bytes.length;
        } catch (error) {
          return error instanceof Error && error.message.includes('damaged');
        }
      }),
      { numRuns: 2000 },
    );
  });
});
