/** What must be true of the files before lmdb maps them: it trusts them blindly, a wrong one kills the process. */
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { StoreUnusableError } from '../errors.ts';

const DATA_FILE = 'data.mdb';

// Layout of lmdb's meta pages (mdb.c, struct MDB_meta behind a page header of 24 bytes).
const MAGIC = 0xbeefc0de;
const MAGIC_AT = 24;
const PAGE_SIZE_AT = 48;
const LAST_PAGE_AT = 144;
const META_BYTES = 160;

/** Pages at the end that were allocated and never written; more missing means a cut file. */
const TOLERATED_SHORTAGE = 1024 * 1024;

/**
 * Makes the directory where it is missing and looks at what is in it.
 * @throws StoreUnusableError naming the directory, what is wrong and the remedy.
 */
export function prepareDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw unusable(
      directory,
      `cannot be created (${codeOf(error)})`,
      'check the path and its permissions',
      error,
    );
  }
  if (!statSync(directory).isDirectory()) {
    throw unusable(directory, 'is not a directory', 'name a directory');
  }
  let names: readonly string[];
  try {
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    names = readdirSync(directory);
  } catch (error) {
    throw unusable(
      directory,
      `is not writable (${codeOf(error)})`,
      'give this user the right to write there',
      error,
    );
  }
  if (names.includes(DATA_FILE)) {
    checkDataFile(directory, join(directory, DATA_FILE));
  }
}

function checkDataFile(directory: string, path: string): void {
  const remedy = 'restore it from a backup or name a new directory';
  let file: number;
  try {
    file = openSync(path, 'r+');
  } catch (error) {
    throw unusable(
      directory,
      `has a ${DATA_FILE} that cannot be opened (${codeOf(error)})`,
      'check its permissions',
      error,
    );
  }
  try {
    const size = fstatSync(file).size;
    // lmdb begins anew in an empty file, which a crash at the very first start leaves.
    if (size === 0) {
      return;
    }
    const needed = neededBytes(file);
    if (needed === undefined) {
      throw unusable(directory, `has a ${DATA_FILE} that is not a store`, remedy);
    }
    if (needed - size > TOLERATED_SHORTAGE) {
      throw unusable(
        directory,
        `has a ${DATA_FILE} of ${String(size)} bytes where ${String(needed)} are needed: it was cut`,
        remedy,
      );
    }
    if (needed > size) {
      ftruncateSync(file, needed);
    }
  } finally {
    closeSync(file);
  }
}

/** Size of the file that its newest meta page speaks of; undefined when there is none. */
function neededBytes(file: number): number | undefined {
  const meta = Buffer.alloc(META_BYTES);
  const lastPageOf = (
    position: number,
  ): { readonly lastPage: number; readonly pageSize: number } | undefined => {
    if (readSync(file, meta, 0, META_BYTES, position) < META_BYTES || meta.readUInt32LE(MAGIC_AT) !== MAGIC) {
      return undefined;
    }
    return {
      lastPage: Number(meta.readBigUInt64LE(LAST_PAGE_AT)),
      pageSize: meta.readUInt32LE(PAGE_SIZE_AT),
    };
  };
  const first = lastPageOf(0);
  if (first === undefined || first.pageSize < 512 || first.pageSize > 65_536) {
    return undefined;
  }
  const second = lastPageOf(first.pageSize);
  return (Math.max(first.lastPage, second?.lastPage ?? 0) + 1) * first.pageSize;
}

function unusable(directory: string, what: string, remedy: string, cause?: unknown): StoreUnusableError {
  return new StoreUnusableError(`the store directory ${directory} ${what}: ${remedy}`, { cause });
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
