/** What is true: the files as they lie there, by line feeds. It shares no code with Geoflock. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Status } from './lab.ts';

const LINE_FEED = 10;

export interface Truth {
  readonly files: number;
  readonly rows: number;
}

/** All files of a folder, each of which has a header line. A last line that is cut off is a row too. */
export function truthOf(folder: string): Truth {
  let rows = 0;
  const names = readdirSync(folder).filter((name) => name.endsWith('.csv') && !name.startsWith('.'));
  for (const name of names) {
    const bytes = readFileSync(join(folder, name));
    let lines = 0;
    for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, at + 1)) {
      lines++;
    }
    rows += lines + (bytes.length > 0 && bytes.at(-1) !== LINE_FEED ? 1 : 0) - 1;
  }
  return { files: names.length, rows };
}

/** What of the totals is not the truth; nothing, if every row was counted exactly once. */
export function differences({ model, totals }: Status, { files, rows }: Truth): readonly string[] {
  return (
    [
      ['files done', totals.files.done, files],
      ['files failed', totals.files.failed, 0],
      ['rows read', totals.rows.read, rows],
      ['rows counted', totals.rows.counted, rows],
      ['rows rejected', totals.rows.rejected, 0],
      ['weight of the model', model?.weight, rows],
    ] as const
  ).flatMap(([what, is, should]) => (is === should ? [] : [`${what}: ${String(is)}, not ${String(should)}`]));
}
