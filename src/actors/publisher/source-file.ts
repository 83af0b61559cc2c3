import type { Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../file-watcher/scan.ts';
import { FINGERPRINT_BYTES, type Fingerprint, fingerprint, sameFingerprint } from '../ingest/ledger.ts';

/** Why what is at a path is not (any more) the file that was claimed. */
export type Difference =
  | { readonly kind: 'vanished' }
  /** Another file, or the same one rewritten or cut: its content is a new file. */
  | { readonly kind: 'changed'; readonly how: string };

/**
 * An open source file. All it is asked is: bytes at an offset, and whether the path still leads to
 * what was claimed.
 */
export class SourceFile {
  readonly path: string;
  readonly #fullPath: string;
  readonly #handle: FileHandle;
  #opened: Stats;

  /** @throws the file system's error when it cannot be opened. */
  static async open(directory: string, path: string): Promise<SourceFile> {
    const fullPath = join(directory, path);
    const handle = await open(fullPath, 'r');
    return new SourceFile(path, fullPath, handle, await handle.stat());
  }

  private constructor(path: string, fullPath: string, handle: FileHandle, opened: Stats) {
    this.path = path;
    this.#fullPath = fullPath;
    this.#handle = handle;
    this.#opened = opened;
  }

  /** Size and modification time as of the last `check` (at first: of the opening). */
  get size(): number {
    return this.#opened.size;
  }

  get mtimeMs(): number {
    return this.#opened.mtimeMs;
  }

  /** Wall-clock ms of its last change, also of its name: when what is in it had arrived. */
  get arrivedAt(): number {
    return Math.max(this.#opened.ctimeMs, this.#opened.mtimeMs);
  }

  /** Reads into `target[at, at + length)` from the file's byte `from` on; 0 at the end of the file. */
  async read(target: Uint8Array, at: number, length: number, from: number): Promise<number> {
    const { bytesRead } = await this.#handle.read(target, at, length, from);
    return bytesRead;
  }

  /** Fingerprint of the bytes `[from, from + length)`, or of as many as there are. */
  async fingerprintAt(from: number, length: number): Promise<Fingerprint> {
    return fingerprint(await this.bytesAt(from, length));
  }

  async bytesAt(from: number, length: number): Promise<Uint8Array> {
    const bytes = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#handle.read(bytes, filled, length - filled, from + filled);
      if (bytesRead === 0) {
        break;
      }
      filled += bytesRead;
    }
    return bytes.subarray(0, filled);
  }

  /** Fingerprint of what stands directly before `byte`. */
  tailAt(byte: number): Promise<Fingerprint> {
    const length = Math.min(byte, FINGERPRINT_BYTES);
    return this.fingerprintAt(byte - length, length);
  }

  /** Compares the content with what is known of a file read up to `byte`. */
  async compare(known: {
    head: Fingerprint;
    tail: Fingerprint;
    byte: number;
  }): Promise<Difference | undefined> {
    const { size } = await this.#handle.stat();
    if (size < known.byte) {
      return { kind: 'changed', how: `it has ${String(size)} bytes, ${String(known.byte)} were read before` };
    }
    if (!sameFingerprint(await this.fingerprintAt(0, known.head.length), known.head)) {
      return { kind: 'changed', how: 'its beginning is another' };
    }
    if (!sameFingerprint(await this.tailAt(known.byte), known.tail)) {
      return { kind: 'changed', how: `what stands before byte ${String(known.byte)} is another` };
    }
    return undefined;
  }

  /**
   * Whether the path still leads to this file, it still has the `readTo` bytes that were read, and
   * (when it was written to since the last check) its known part is as it was.
   */
  async check(
    known: { head: Fingerprint; tail: Fingerprint; byte: number },
    readTo: number,
  ): Promise<Difference | undefined> {
    const opened = await this.#handle.stat();
    let named: Stats;
    try {
      named = await stat(this.#fullPath);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') {
        return { kind: 'vanished' };
      }
      throw error;
    }
    if (named.ino !== opened.ino || named.dev !== opened.dev) {
      return { kind: 'changed', how: 'another file stands at its path' };
    }
    if (opened.size < readTo) {
      return { kind: 'changed', how: `it shrank to ${String(opened.size)} bytes while it was read` };
    }
    const written = opened.mtimeMs !== this.#opened.mtimeMs || opened.size !== this.#opened.size;
    this.#opened = opened;
    return written ? this.compare(known) : undefined;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
