import type { Dirent } from 'node:fs';
import { lstat, opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { nextTurn } from '../../system/event-loop.ts';
import type { FileSignature } from '../ingest/ledger.ts';

export interface ScanOptions {
  readonly directory: string;
  readonly matches: (name: string) => boolean;
  readonly recursive: boolean;
}

/** A matching name that cannot be looked at: a dangling link, a name that is not UTF-8. */
export interface BrokenFile {
  readonly path: string;
  readonly problem: string;
}

export interface Seen extends FileSignature {
  readonly path: string;
}

export type LookedAt = { readonly file: Seen } | { readonly broken: BrokenFile };

/** A file, or a folder that cannot be listed: what is in it is not known. */
export type ScanItem = LookedAt | { readonly unreadable: string };

const NAME_NOT_UTF8 = 'its name is not valid UTF-8; rename it';

/** Names looked at together: enough to hide the latency of a network volume, few enough to stay small. */
const LOOK_BATCH = 64;

/**
 * Walks the input folder and yields every matching regular file with its size and modification
 * time, in batches, in constant memory. Hidden files and folders are not looked at; links to files
 * are followed, links to folders are not (they could form a circle).
 */
export async function* scan(options: ScanOptions): AsyncGenerator<readonly ScanItem[]> {
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    let batch: string[] = [];
    try {
      for await (const item of await opendir(join(options.directory, folder), { bufferSize: 256 })) {
        if (item.name.startsWith('.')) {
          continue;
        }
        const path = folder === '' ? item.name : `${folder}/${item.name}`;
        if (item.isDirectory()) {
          if (options.recursive) {
            folders.push(path);
          }
          continue;
        }
        if (!mayBeFile(item) || !options.matches(item.name)) {
          continue;
        }
        batch.push(path);
        if (batch.length >= LOOK_BATCH) {
          yield await lookAtAll(options.directory, batch);
          batch = [];
          await nextTurn();
        }
      }
    } catch (error) {
      // A subfolder that was removed since it was listed is no problem; the input folder itself is.
      if (folder === '' || codeOf(error) !== 'ENOENT') {
        yield [{ unreadable: `folder ${join(options.directory, folder)}: ${reasonOf(error)}` }];
      }
    }
    if (batch.length > 0) {
      yield await lookAtAll(options.directory, batch);
    }
  }
}

function mayBeFile(item: Dirent): boolean {
  // Some file systems do not tell the type in a listing; stat decides then.
  return (
    item.isFile() ||
    item.isSymbolicLink() ||
    !(item.isFIFO() || item.isSocket() || item.isCharacterDevice() || item.isBlockDevice())
  );
}

async function lookAtAll(directory: string, paths: readonly string[]): Promise<readonly LookedAt[]> {
  const items = await Promise.all(paths.map((path) => lookAt(directory, path)));
  return items.filter((item) => item !== undefined);
}

/** One path as it is now; undefined when it is no regular file, or is gone. */
export async function lookAt(directory: string, path: string): Promise<LookedAt | undefined> {
  try {
    const found = await stat(join(directory, path));
    return found.isFile() ? { file: { path, size: found.size, mtimeMs: found.mtimeMs } } : undefined;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') {
      if (await isLink(directory, path)) {
        return { broken: { path, problem: 'dangling link' } };
      }
      // Bytes that are not UTF-8 are listed as U+FFFD, and under that name nothing is found.
      return path.includes('\uFFFD') ? { broken: { path, problem: NAME_NOT_UTF8 } } : undefined;
    }
    return { broken: { path, problem: reasonOf(error) } };
  }
}

async function isLink(directory: string, path: string): Promise<boolean> {
  try {
    return (await lstat(join(directory, path))).isSymbolicLink();
  } catch {
    return false;
  }
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A file system error in words a user knows. */
export function reasonOf(error: unknown): string {
  switch (codeOf(error)) {
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'ENOENT':
      return 'it does not exist';
    case 'ELOOP':
      return 'a link that leads in a circle';
    case 'EISDIR':
      return 'it is a folder';
    case undefined:
    default:
      return error instanceof Error ? error.message : String(error);
  }
}
