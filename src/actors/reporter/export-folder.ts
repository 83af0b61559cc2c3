import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile } from './replace-file.ts';

/** How long what was written into the folder is kept. */
export interface Keeping {
  /** The newest so many. */
  readonly count: number;
  /** None that is older, ms. */
  readonly ageMs: number;
}

/** The form of a name: the time in UTC to the second, so that names sort by time. */
const NAME = /^geoflock-(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})Z\.[a-z]+$/;

/** Writes one text for each extension, all under the name of the time `at` (wall-clock ms). @returns that name */
export async function writeExports(
  directory: string,
  at: number,
  texts: ReadonlyMap<string, string>,
): Promise<string> {
  await mkdir(directory, { recursive: true });
  const name = `geoflock-${new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
  for (const [extension, text] of texts) {
    await replaceFile(join(directory, `${name}.${extension}`), text);
  }
  return name;
}

/**
 * Removes what is too old or too much, all files of one time together, and touches nothing of another name.
 * @returns how many files were removed
 */
export async function removeOldExports(
  directory: string,
  at: number,
  { ageMs, count }: Keeping,
): Promise<number> {
  const byTime = new Map<number, string[]>();
  for (const name of await readdir(directory)) {
    const time = timeOf(name);
    if (time !== undefined) {
      byTime.set(time, [...(byTime.get(time) ?? []), name]);
    }
  }
  const newestFirst = [...byTime].sort(([a], [b]) => b - a);
  const gone = newestFirst
    .filter(([time], index) => index >= count || time < at - ageMs)
    .flatMap(([, names]) => names);
  for (const name of gone) {
    await rm(join(directory, name), { force: true });
  }
  return gone.length;
}

/** The time of a name, to the second; undefined for a file of somebody else. */
function timeOf(name: string): number | undefined {
  const match = NAME.exec(name);
  if (match === null) {
    return undefined;
  }
  const [year = 0, month = 1, day, hour, minute, second] = match.slice(1).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
