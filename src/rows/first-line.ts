import { byteOrderMarkLength } from './header.ts';

/** The beginning of a file: a byte order mark, blank lines, and the line that may be a header. */

export interface FirstLine {
  /** Text of the first line that is not blank, without its line end; undefined where there is none. */
  readonly text: string | undefined;
  /** Byte and line (1-based) at which that line starts, and at which the next one does. */
  readonly startByte: number;
  readonly startLine: number;
  readonly endByte: number;
  readonly endLine: number;
}

const LINE_FEED = 0x0a;
const BLANKS = new Set([0x20, 0x09, 0x0d]);

/**
 * Finds the first line in the file's first bytes.
 * @param complete whether `head` is the whole file
 * @returns undefined when the line does not end within `head`
 */
export function findFirstLine(head: Uint8Array, complete: boolean): FirstLine | undefined {
  let start = byteOrderMarkLength(head);
  for (let line = 1; ; line++) {
    let end = head.indexOf(LINE_FEED, start);
    const unterminated = end < 0;
    if (unterminated) {
      if (!complete) {
        return undefined;
      }
      end = head.length;
    }
    const bytes = head.subarray(start, end);
    const next = unterminated ? end : end + 1;
    if (!bytes.every((byte) => BLANKS.has(byte))) {
      return {
        text: new TextDecoder().decode(bytes),
        startByte: start,
        startLine: line,
        endByte: next,
        endLine: line + 1,
      };
    }
    if (next >= head.length && complete) {
      return { text: undefined, startByte: next, startLine: line, endByte: next, endLine: line + 1 };
    }
    start = next;
  }
}
