import { copyFile, constants, link, mkdir, unlink } from 'node:fs/promises';
import { dirname, extname, join } from 'node:path';
import { codeOf } from '../file-watcher/scan.ts';

/** What becomes of a file after its last row is on stable storage. */
export type AfterReading =
  | { readonly kind: 'keep' }
  | { readonly kind: 'delete' }
  | { readonly kind: 'move'; readonly directory: string };

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
      await moveOnto(from, to);
      return to;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') {
        throw error;
      }
    }
  }
}

/** A hard link fails where the target exists, which a rename would silently replace. */
async function moveOnto(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
    await unlink(from);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EXDEV') {
      // Another file system: copy under a temporary name, so that nobody sees half a file.
      const temporary = `${to}.part`;
      await copyFile(from, temporary);
      await moveOnto(temporary, to);
      await unlink(from);
    } else if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS') {
      // A file system without hard links.
      await copyFile(from, to, constants.COPYFILE_EXCL);
      await unlink(from);
    } else {
      throw error;
    }
  }
}
