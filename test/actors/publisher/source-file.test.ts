import fs from 'node:fs';
import { expect } from 'chai';
import { fingerprint } from '../../../src/actors/ingest/ledger.ts';
import { SourceFile } from '../../../src/actors/publisher/source-file.ts';
import { Workshop } from './ingest-run.ts';

describe('an open source file', () => {
  const CONTENT = Buffer.from(Array.from({ length: 200_000 }, (_, n) => n % 251));
  const BYTE = 150_000;
  let shop: Workshop;
  let file: SourceFile;
  let known: { head: ReturnType<typeof fingerprint>; tail: ReturnType<typeof fingerprint>; byte: number };

  beforeEach(async () => {
    shop = new Workshop();
    shop.put('a', CONTENT);
    file = await SourceFile.open(shop.input, 'a');
    known = {
      head: fingerprint(CONTENT.subarray(0, 65_536)),
      tail: fingerprint(CONTENT.subarray(BYTE - 65_536, BYTE)),
      byte: BYTE,
    };
  });

  afterEach(async () => {
    await file.close();
    shop.remove();
  });

  function overwrite(at: number): void {
    const handle = fs.openSync(shop.at('a'), 'r+');
    fs.writeSync(handle, Buffer.from([0xff]), 0, 1, at);
    fs.closeSync(handle);
  }

  it('knows its size, its bytes and the fingerprints of its head and tail', async () => {
    expect(file.size).to.equal(CONTENT.length);
    expect(Buffer.from(await file.bytesAt(10, 5))).to.deep.equal(CONTENT.subarray(10, 15));
    expect((await file.bytesAt(CONTENT.length - 2, 10)).length).to.equal(2);
    expect(await file.fingerprintAt(0, 65_536)).to.deep.equal(known.head);
    expect(await file.tailAt(BYTE)).to.deep.equal(known.tail);
    expect(await file.tailAt(3)).to.deep.equal(fingerprint(CONTENT.subarray(0, 3)));
    const target = Buffer.alloc(8);
    expect(await file.read(target, 2, 3, 100)).to.equal(3);
    expect(target.subarray(2, 5)).to.deep.equal(CONTENT.subarray(100, 103));
    expect(await file.read(target, 0, 8, CONTENT.length)).to.equal(0);
  });

  it('is what was claimed while nothing happens, and when it grows', async () => {
    expect(await file.compare(known)).to.equal(undefined);
    expect(await file.check(known, CONTENT.length)).to.equal(undefined);
    fs.appendFileSync(shop.at('a'), 'more');
    expect(await file.check(known, CONTENT.length)).to.equal(undefined);
    expect(file.size).to.equal(CONTENT.length + 4);
  });

  const changes: readonly (readonly [string, string, () => void])[] = [
    [
      'its first byte',
      'its beginning is another',
      () => {
        overwrite(0);
      },
    ],
    [
      'the byte before the known one',
      'what stands before byte 150000 is another',
      () => {
        overwrite(BYTE - 1);
      },
    ],
    [
      'its size',
      'it has 100 bytes, 150000 were read before',
      () => {
        fs.truncateSync(shop.at('a'), 100);
      },
    ],
  ];
  for (const [what, how, change] of changes) {
    it(`is another when ${what} is`, async () => {
      change();
      expect(await file.compare(known)).to.deep.equal({ kind: 'changed', how });
      expect((await file.check(known, BYTE))?.kind).to.equal('changed');
    });
  }

  it('is lost when the path vanished, or leads to another file', async () => {
    fs.renameSync(shop.at('a'), shop.at('b'));
    expect(await file.check(known, BYTE)).to.deep.equal({ kind: 'vanished' });
    fs.writeFileSync(shop.at('a'), CONTENT);
    expect(await file.check(known, BYTE)).to.deep.equal({
      kind: 'changed',
      how: 'another file stands at its path',
    });
  });

  it('is lost when it shrinks below what was read, even above the committed byte', async () => {
    fs.truncateSync(shop.at('a'), BYTE + 10);
    expect(await file.check(known, BYTE + 10)).to.equal(undefined);
    expect(await file.check(known, BYTE + 11)).to.deep.equal({
      kind: 'changed',
      how: `it shrank to ${String(BYTE + 10)} bytes while it was read`,
    });
  });
});
