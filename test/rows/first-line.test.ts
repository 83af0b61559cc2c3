import { expect } from 'chai';
import fc from 'fast-check';
import { findFirstLine } from '../../src/rows/first-line.ts';

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('the first line of a file', () => {
  const cases: readonly (readonly [string, string, boolean, ReturnType<typeof findFirstLine>])[] = [
    [
      'stands at the start',
      'a,b\nc',
      true,
      { text: 'a,b', startByte: 0, startLine: 1, endByte: 4, endLine: 2 },
    ],
    [
      'keeps its carriage return',
      'a\r\n',
      true,
      { text: 'a\r', startByte: 0, startLine: 1, endByte: 3, endLine: 2 },
    ],
    [
      'comes after a byte order mark',
      '\uFEFFa\n',
      true,
      { text: 'a', startByte: 3, startLine: 1, endByte: 5, endLine: 2 },
    ],
    [
      'comes after blank lines',
      '\n \t\r\na\nb',
      false,
      { text: 'a', startByte: 5, startLine: 3, endByte: 7, endLine: 4 },
    ],
    [
      'may lack its end where the file ends',
      'a,b',
      true,
      { text: 'a,b', startByte: 0, startLine: 1, endByte: 3, endLine: 2 },
    ],
    ['is not known while its end may follow', 'a,b', false, undefined],
    ['is not known while only blank lines are', '\n\n', false, undefined],
    [
      'is none in an empty file',
      '',
      true,
      { text: undefined, startByte: 0, startLine: 1, endByte: 0, endLine: 2 },
    ],
    [
      'is none in blank lines',
      '\uFEFF \n\n',
      true,
      { text: undefined, startByte: 6, startLine: 2, endByte: 6, endLine: 3 },
    ],
  ];
  for (const [what, content, complete, found] of cases) {
    it(what, () => {
      expect(findFirstLine(bytes(content), complete)).to.deep.equal(found);
    });
  }

  it('is where a naive search finds it', () => {
    const line = fc.constantFrom('', ' ', '\t', 'a', 'é,1', '\r');
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 6 }), fc.boolean(), (lines, mark) => {
        const content = `${mark ? '\uFEFF' : ''}${lines.join('\n')}`;
        const found = findFirstLine(bytes(content), true);
        const index = lines.findIndex((text) => text.trim() !== '');
        expect(found?.text).to.equal(lines[index]);
        if (index >= 0) {
          expect(found?.startLine).to.equal(index + 1);
          const before = `${mark ? '\uFEFF' : ''}${lines
            .slice(0, index)
            .map((text) => `${text}\n`)
            .join('')}`;
          expect(found?.startByte).to.equal(bytes(before).length);
        }
      }),
      { numRuns: 200 },
    );
  });
});
