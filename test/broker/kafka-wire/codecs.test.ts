import * as zlib from 'node:zlib';
import { expect } from 'chai';
import fc from 'fast-check';
import { BrokerError } from '../../../src/broker/errors.ts';
import { codecNamed, codecOfId, zstdCodec } from '../../../src/broker/kafka/codecs.ts';
import { decodeBatches } from '../../../src/broker/kafka/wire/record-batch.ts';

/** Two records as Apache Kafka's own console producer (4.3.1) wrote them, fetched from a broker. */
const FROM_JAVA: Readonly<Record<string, string>> = {
  none: `AAAAAAAAAAAAAACQAAAAAAIWm73mAAAAAAABAAABogVqd18AAAGiBWp3tAAAAAAAAAAIAAAAAAAAAAAAAloAAAAEazE6aGVsbG8g
    aGVsbG8gaGVsbG8gaGVsbG8gaGVsbG8EAmgCdgJpAndgAKoBAgRrMkZoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyBoZWxsbyB3b3JsZAIC
    aAJ3`,
  gzip: `AAAAAAAAAAAAAAByAAAAAAIzHFMQAAEAAAABAAABogVqoXoAAAGiBWqhqQAAAAAAAAALAAAAAAAAAAAAAh+LCAAAAAAAAP+LYmBgYMk2
    tMpIzcnJV8BBsjBlMJUxZTKVxzHEMbFkG7nhVa1Qnl+Uk8IE1FMOAKSHhYZeAAAA`,
  snappy: `AAAAAAAAAAAAAAB7AAAAAAKDwfHoAAIAAAABAAABogVqwboAAAGiBWrCZgAAAAAAAAANAAAAAAAAAAAAAoJTTkFQUFkAAAAAAQAAAAEA
    AAA2XzRaAAAABGsxOmhlbGxvIFoGAEQEAmgCdgJpAndgANgCAgRrMkZaKQANQSR3b3JsZAICaAJ3`,
  lz4: `AAAAAAAAAAAAAAB3AAAAAAIWR4UQAAMAAAABAAABogVq6PMAAAGiBWrqSQAAAAAAAAAPAAAAAAAAAAAAAgQiTRhgQII3AAAA71oAAAAE
    azE6aGVsbG8gBgAE/wMEAmgCdgJpAndgAKwFAgRrMkYpAAQDQQCgd29ybGQCAmgCdwAAAAA=`,
  zstd: `AAAAAAAAAAAAAABzAAAAAAJzxIVsAAQAAAABAAABogVrDPUAAAGiBWsNPQAAAAAAAAARAAAAAAAAAAAAAii1L/0AWLQBAKQCWgAAAARr
    MTpoZWxsbyAEAmgCdgJpAndgAJABAgRrMkZ3b3JsZAICaAJ3AwAgA5iqw9RFCQEAAA==`,
};

/** Both forms of what the codecs must take: what repeats, near and far, and what does not. */
const content = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  fc
    .array(
      fc.record({
        piece: fc.uint8Array({ minLength: 1, maxLength: 90 }),
        times: fc.oneof(fc.nat({ max: 5 }), fc.nat({ max: 900 })),
      }),
      { maxLength: 12 },
    )
    .map((pieces) =>
      Buffer.concat(pieces.flatMap(({ piece, times }) => Array.from({ length: times }, () => piece))),
    ),
);

/** Bytes that do not compress and are the same each time. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

const lz4 = codecNamed('lz4');
const snappy = codecOfId(2);
/** The head of an LZ4 frame of independent blocks of up to 64 KiB, as Java writes it. */
const LZ4_HEAD = '04224d18604082';
const SNAPPY_HEAD = '82534e41505059000000000100000001';

describe('codecs of record batches', () => {
  for (const [name, base64] of Object.entries(FROM_JAVA)) {
    it(`read ${name} from a Java client`, () => {
      const [batch] = decodeBatches(Buffer.from(base64, 'base64'));
      const records = batch?.records.map(({ headers, key, value }) => [
        key,
        String(value),
        Object.entries(headers).map(([header, of]) => `${header}=${String(of)}`),
      ]);
      expect(records).to.deep.equal([
        ['k1', 'hello hello hello hello hello', ['h=v', 'i=w']],
        ['k2', 'hello hello hello hello hello world', ['h=w']],
      ]);
    });
  }

  for (const name of ['none', 'gzip', 'lz4'] as const) {
    it(`give back with ${name} what went in`, () => {
      const codec = codecNamed(name);
      expect(codecOfId(codec.id)).to.equal(codec);
      fc.assert(
        fc.property(content, (bytes) => {
          expect(codec.decompress(codec.compress(bytes)).equals(bytes)).to.be.true;
        }),
        { numRuns: 200 },
      );
      // Around the size of a block, of what compresses well and not at all, and at the edge of the window.
      for (const length of [262_143, 262_144, 262_145, 600_000]) {
        for (const bytes of [Buffer.alloc(length, 'abcde'), noise(length)]) {
          expect(codec.decompress(codec.compress(bytes)).equals(bytes)).to.be.true;
        }
      }
      for (const distance of [65_534, 65_535, 65_536]) {
        const pattern = noise(40);
        const twice = Buffer.concat([pattern, Buffer.alloc(distance - 40), pattern, noise(20)]);
        expect(codec.decompress(codec.compress(twice)).equals(twice)).to.be.true;
      }
    });
  }

  it('make lz4 frames of independent blocks, small where the content repeats, hardly larger where not', () => {
    const rows = Buffer.from('device-17,52.520008,13.404954,1700000000000\n'.repeat(20_000));
    const packed = lz4.compress(rows);
    // Flags: version 1, independent blocks; blocks of 256 KiB; the checksum of both.
    expect(packed.subarray(0, 7).toString('hex')).to.equal('04224d186050fb');
    expect(packed.byteLength).to.be.lessThan(rows.byteLength / 100);
    const random = noise(500_000);
    expect(lz4.compress(random).byteLength).to.equal(7 + random.byteLength + 2 * 4 + 4);
    // As the format wants it: a block's last five bytes are literals, its last match begins twelve before
    // the end. So twelve bytes have no match, and are stored.
    expect(lz4.compress(Buffer.alloc(100, 'a')).subarray(-10).toString('latin1')).to.equal(
      '\x50aaaaa\0\0\0\0',
    );
    expect(lz4.compress(Buffer.alloc(12, 'a')).subarray(7).toString('latin1')).to.equal(
      `\x0c\0\0\x80${'a'.repeat(12)}\0\0\0\0`,
    );
    // A view into larger memory.
    expect(lz4.decompress(lz4.compress(rows.subarray(1001, 5003))).equals(rows.subarray(1001, 5003))).to.be
      .true;
  });

  it('read lz4 frames with everything that others may put into them', () => {
    const block = lz4.compress(Buffer.from('abcabcabcabcabcabcabcabcabc')).subarray(7, -4).toString('hex');
    const once = 'abcabcabcabcabcabcabcabcabc';
    // Content size (8 bytes), a checksum behind the block and one at the end.
    const full = Buffer.from(`04224d187c401b0000000000000000${block}`, 'hex');
    const withAll = Buffer.concat([
      full,
      Buffer.from('11223344', 'hex'),
      Buffer.alloc(4),
      Buffer.from('55667788', 'hex'),
    ]);
    expect(lz4.decompress(withAll).toString()).to.equal(once);
    // A block that was stored, and one that goes on from the block before: a match of 8 at distance 3.
    const dependent = `${LZ4_HEAD.replace('60', '40')}030000806162630900000004030050636465666700000000`;
    expect(lz4.decompress(Buffer.from(dependent, 'hex')).toString()).to.equal('abcabcabcabcdefg');
  });

  it('read snappy as one block, and in frames of several', () => {
    // 'abc', and eight bytes from three before; then a copy with a distance of two bytes, and of four.
    const block = Buffer.from('160861626311031e09000b09000000', 'hex');
    const expected = 'abcabcabcabcabcabcabca';
    expect(snappy.decompress(block).toString()).to.equal(expected);
    const size = '0000000f';
    const framed = Buffer.from(
      `${SNAPPY_HEAD}${size}${block.toString('hex')}${size}${block.toString('hex')}`,
      'hex',
    );
    expect(snappy.decompress(framed).toString()).to.equal(expected + expected);
    // A literal whose length takes two bytes of its own.
    const long = Buffer.concat([Buffer.from('ac02f42b01', 'hex'), Buffer.alloc(300, 'x')]);
    expect(snappy.decompress(long).toString()).to.equal('x'.repeat(300));
    expect(snappy.decompress(Buffer.from('00', 'hex')).byteLength).to.equal(0);
  });

  it('refuse what is cut off or wrong, without reading for ever or taking memory', () => {
    const rows = Buffer.from('device-17,52.520008,13.404954\ndevice-18,52.520008,13.404954\n'.repeat(3));
    const java = decodedPart('snappy');
    for (const [codec, packed] of [
      [lz4, lz4.compress(rows)],
      [snappy, java],
      [codecNamed('gzip'), codecNamed('gzip').compress(rows)],
      [zstdCodec({}), decodedPart('zstd')],
    ] as const) {
      for (let length = 0; length < packed.byteLength; length++) {
        const cut = packed.subarray(0, length);
        // Snappy in frames has no end of its own: what stops between two is whole.
        if (codec.name === 'zstd' ? length < packed.byteLength - 4 : !(codec === snappy && length === 16)) {
          expect(() => codec.decompress(cut), `${codec.name}, ${String(length)} bytes`).to.throw(Error);
        }
      }
    }
    fc.assert(
      fc.property(fc.constantFrom(lz4, snappy), fc.nat(), fc.nat({ max: 255 }), (codec, place, value) => {
        const packed = Buffer.from(codec === lz4 ? lz4.compress(rows) : java);
        packed[place % packed.byteLength] = value;
        try {
          codec.decompress(packed);
        } catch (error) {
          expect(error).to.be.instanceOf(BrokerError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('name what is wrong', () => {
    const of = (codec: typeof lz4, hex: string) => () => codec.decompress(Buffer.from(hex, 'hex'));
    expect(of(lz4, '00224d1860408200000000')).to.throw(BrokerError, /no LZ4 frame/);
    expect(of(lz4, '04224d1861408200000000')).to.throw(BrokerError, /flags 0x61/);
    expect(of(lz4, `${LZ4_HEAD}03000000106105`)).to.throw(BrokerError, /end early/);
    // One literal, then a match from two before.
    expect(of(lz4, `${LZ4_HEAD}0900000010610200506162636465`)).to.throw(
      BrokerError,
      /before their beginning/,
    );
    // 64 KiB are allowed; a match of about 70,000 bytes.
    const run = 'ff'.repeat(275);
    expect(of(lz4, `${LZ4_HEAD}1e0100001f610100${run}00506162636465`)).to.throw(
      BrokerError,
      /longer than its frame/,
    );
    expect(of(snappy, '04006109')).to.throw(BrokerError, /end early/);
    expect(of(snappy, '050061010200')).to.throw(BrokerError, /before their beginning/);
    expect(of(snappy, '0108616263')).to.throw(BrokerError, /more bytes came/);
    expect(of(snappy, '020061090100')).to.throw(BrokerError, /more bytes came|end early/);
    expect(of(snappy, 'ffffffff7f00')).to.throw(BrokerError, /unpacks to more than/);
    // 256 MiB are announced, which nobody takes before they come.
    const { arrayBuffers } = process.memoryUsage();
    expect(of(snappy, 'ffffff7f00')).to.throw(BrokerError, /end early/);
    expect(process.memoryUsage().arrayBuffers - arrayBuffers).to.be.lessThan(2 ** 27);
  });

  it('refuse a few bytes that would fill the memory', () => {
    const gzip = codecNamed('gzip');
    const bomb = zlib.gzipSync(Buffer.alloc(257 * 1024 * 1024), { level: 1 });
    expect(() => gzip.decompress(bomb)).to.throw(BrokerError, /unpacks to more than 268435456 bytes/);
    // Each block unpacks to 4 MiB less a bit.
    const match = `1f000100${'ff'.repeat(16_000)}00500000000000`;
    const size = Buffer.alloc(4);
    size.writeUInt32LE(match.length / 2);
    const block = size.toString('hex') + match;
    const frame = Buffer.from(`04224d18607000${block.repeat(70)}00000000`, 'hex');
    expect(() => lz4.decompress(frame)).to.throw(BrokerError, /unpacks to more than 268435456 bytes/);
  });

  it('write zstd where the runtime can, and else name what can be chosen instead', () => {
    if ('zstdCompressSync' in zlib) {
      const zstd = codecNamed('zstd');
      fc.assert(
        fc.property(content, (bytes) => {
          const packed = zstd.compress(bytes);
          expect(zstd.decompress(packed).equals(bytes)).to.be.true;
          expect(zstdCodec({}).decompress(packed).equals(bytes)).to.be.true;
        }),
        { numRuns: 100 },
      );
    } else {
      expect(() => codecNamed('zstd')).to.throw(BrokerError, /lz4 or gzip, or use Node\.js 22\.15/);
    }
    expect(() => zstdCodec({}).compress(Buffer.from('a'))).to.throw(BrokerError, /cannot be written/);
    const native = zstdCodec({
      zstdCompressSync: () => Buffer.from('packed'),
      zstdDecompressSync: (bytes, { maxOutputLength }) =>
        Buffer.from(`${String(maxOutputLength)} ${String(bytes)}`),
    });
    expect(native.compress(Buffer.from('a')).toString()).to.equal('packed');
    expect(native.decompress(Buffer.from('b')).toString()).to.equal('268435456 b');
  });

  it('are none that Kafka does not know, and snappy is not written', () => {
    for (const id of [-1, 5, 7]) {
      expect(() => codecOfId(id)).to.throw(BrokerError, /compression -?\d is not known/);
    }
    expect(() => snappy.compress(Buffer.from('a'))).to.throw(BrokerError, /choose none, gzip, lz4 or zstd/);
  });
});

/** The compressed records of a batch of Java's. */
function decodedPart(name: string): Buffer {
  return Buffer.from(FROM_JAVA[name] ?? '', 'base64').subarray(61);
}
