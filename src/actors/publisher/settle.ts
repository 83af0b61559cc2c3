import { copyFile, link, lstat, mkdir, open, rename, rm, unlink } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { codeOf } from '../file-watcher/scan.ts';

/** What becomes of a file after its last row is on stable storage. */
export type AfterReading =
  | { readonly kind: 'keep' }
  | { readonly kind: 'delete' }
  | { readonly kind: 'move'; readonly directory: string };

const NO_LINK: ReadonlySet<string> = new Set(['EXDEV', 'EPERM', 'ENOTSUP', 'ENOSYS']);

/** @returns what was done, for the log. @throws the file system's error. */
export async function settleFile(directory: string, path: string, after: AfterReading): Promise<string> {
  const from = join(directory, path);
  switch (after.kind) {
    case 'keep':
      return 'kept';
    case 'delete':
      await unlink(from);
      return 'deleted';
    case 'move':
      return `moved to ${await moveWithoutOverwriting(from, join(after.directory, path))}`;
  }
}

async function moveWithoutOverwriting(from: string, wanted: string): Promise<string> {
  await mkdir(dirname(wanted), { recursive: true });
  const extension = extname(wanted);
  const stem = wanted.slice(0, wanted.length - extension.length);
  for (let copy = 0; ; copy++) {
    const to = copy === 0 ? wanted : `${stem}.${String(copy)}${extension}`;
    try {
      await placeAt(from, to);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') {
        throw error;
      }
      if (!(await isSameFile(from, to))) {
        continue;
      }
      // An earlier move was ended between its two steps.
    }
    try {
      await unlink(from);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') {
        // It stays where it was, once: the next try must not leave another copy.
        await rm(to, { force: true });
        throw error;
      }
    }
    return to;
  }
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const [a, b] = await Promise.all([lstat(one), lstat(other)]);
  return a.ino === b.ino && a.dev === b.dev;
}

/**
 * Makes the file stand at `to` as well, whole and on stable storage. A hard link fails where the
 * target exists, which a rename would silently replace.
 */
async function placeAt(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    // Another file system, or one without hard links.
    if (!NO_LINK.has(codeOf(error) ?? '')) {
      throw error;
    }
    await copyTo(from, to);
  }
}

/** Copies under a temporary name, so that nobody sees half a file. */
async function copyTo(from: string, to: string): Promise<void> {
  const temporary = `${to}.part`;
  try {
    await copyFile(from, temporary);
    const copy = await open(temporary, 'r+');
    try {
      await copy.sync();
    } finally {
      await copy.close();
    }
    await renameTo(temporary, to);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function renameTo(temporary: string, to: string): Promise<void> {
  try {
    await link(temporary, to);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') {
      throw error;
    }
    // No hard links here: the name is taken first, so that nothing is overwritten.
    await (await open(to, 'wx')).close();
    await rename(temporary, to);
  }
}
