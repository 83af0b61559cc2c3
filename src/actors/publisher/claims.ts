import { findFirstLine } from '../../rows/first-line.ts';
import { describeMapping, type ColumnOverride, type HeaderDecision, readHeader } from '../../rows/header.ts';
import type { Clock } from '../../system/clock.ts';
import type { Logger } from '../../system/logger.ts';
import {
  type Fingerprint,
  FINGERPRINT_BYTES,
  type FileSignature,
  fileId,
  fingerprint,
  isSettling,
  type LedgerEntry,
  moveTo,
} from '../ingest/ledger.ts';
import type { PublisherStats } from '../stats.ts';
import type { FileOutcome } from './messages.ts';
import type { Difference, SourceFile } from './source-file.ts';

export interface FileClaimsOptions {
  readonly settings: { readonly sourceName: string; readonly columns: ColumnOverride };
  readonly clock: Clock;
  readonly log: Logger;
  readonly stats: PublisherStats;
  /** Rank of the next file to be claimed. */
  readonly nextOrder: () => number;
  /** Commits an entry; `before` is the one that it follows or replaces. */
  readonly put: (entry: LedgerEntry, before: LedgerEntry | undefined) => Promise<void>;
}

const NO_BYTES: Fingerprint = fingerprint(new Uint8Array(0));
/** No file looks like this: whatever is found at the path is looked at again. */
const NOT_SEEN: FileSignature = { size: 0, mtimeMs: -1 };
const LINE_FEED = 0x0a;

/** What a file that has come to rest is to the ledger, before the first of its rows is read, and when it fails. */
export class FileClaims {
  readonly #own: FileClaimsOptions;

  constructor(own: FileClaimsOptions) {
    this.#own = own;
  }

  /**
   * Decides what the file is to the ledger: new, to be gone on with, or nothing to do. Returns the
   * entry to read on from (state `reading`), a `done` one to settle, or what became of it.
   */
  async claim(
    file: SourceFile,
    found: FileSignature,
    entry: LedgerEntry | undefined,
  ): Promise<LedgerEntry | FileOutcome> {
    const { log } = this.#own;
    if (entry === undefined || entry.state === 'settled' || entry.state === 'changed') {
      return await this.#claimNew(file, found, entry);
    }
    if (entry.state === 'failed' && entry.byte === 0) {
      return await this.#claimNew(file, found, entry);
    }
    const putAnew = isSettling(entry) && file.size === entry.byte && file.mtimeMs !== entry.mtimeMs;
    const difference = putAnew
      ? ({ kind: 'changed', how: 'it was read to its end, and put there again' } as const)
      : await file.compare(entry);
    if (difference?.kind === 'changed') {
      log.warn(
        { file: file.path, fileId: entry.fileId, read: entry.read },
        `${difference.how}: what was read of it stays counted, the content is a new file`,
      );
      const closed = entry.state === 'failed' ? entry : moveTo(entry, 'changed', { problem: difference.how });
      const claimed = await this.#claimNew(file, found, closed);
      if (claimed !== 'again' && closed !== entry) {
        this.#own.stats.fileStates.changed++;
      }
      return claimed;
    }
    if (entry.state === 'done' && file.size === entry.byte) {
      const { size, mtimeMs } = file;
      if (size === entry.size && mtimeMs === entry.mtimeMs) {
        return entry;
      }
      const touched = moveTo(entry, 'done', { size, mtimeMs });
      await this.#own.put(touched, entry);
      return touched;
    }
    log.info(
      { file: file.path, byte: entry.byte, size: file.size, rows: entry.read },
      'going on in the file',
    );
    if (entry.state === 'reading') {
      return entry;
    }
    // Committed by itself: the totals take it out of `done` or `failed` before it gets there again.
    const reading = moveTo(entry, 'reading', { size: file.size, mtimeMs: file.mtimeMs, settling: false });
    await this.#own.put(reading, entry);
    return reading;
  }

  /** Claims a file that was not read before. A file without a usable header fails here, with no row read. */
  async #claimNew(
    file: SourceFile,
    found: FileSignature,
    replaced: LedgerEntry | undefined,
  ): Promise<LedgerEntry | FileOutcome> {
    const { log, put, settings, stats } = this.#own;
    const { path, size, mtimeMs } = file;
    if (size !== found.size || mtimeMs !== found.mtimeMs) {
      // While it waited for its turn it was written to: its header may be half there.
      return 'again';
    }
    const headBytes = await file.bytesAt(0, Math.min(size, FINGERPRINT_BYTES));
    const head = fingerprint(headBytes);
    const claim = this.#newEntry(file, head, replaced);
    const first = findFirstLine(headBytes, headBytes.length === size);
    if (first !== undefined && first.text === undefined) {
      log.info({ file: path, size }, 'no rows in it');
      const done = moveTo(claim, 'done', { byte: size, tail: await file.tailAt(size) });
      await put(done, replaced);
      stats.filesDone++;
      return done;
    }
    const header: HeaderDecision =
      first?.text === undefined
        ? { kind: 'unusable', message: `the first line is longer than ${String(FINGERPRINT_BYTES)} bytes` }
        : readHeader(first.text, settings.columns);
    if (header.kind === 'unusable' || first === undefined) {
      const message = header.kind === 'unusable' ? header.message : 'no first line';
      log.error({ file: path }, `not read: ${message}`);
      await this.#putFailed({ ...claim, state: 'failed', header, problem: message }, replaced);
      return 'through';
    }
    log.info({ file: path, size, fileId: claim.fileId }, `reading; ${describeMapping(header)}`);
    const headless = header.kind === 'headerless';
    const byte = headless ? first.startByte : first.endByte;
    const line = (headless ? first.startLine : first.endLine) - 1;
    const unterminated = !headless && headBytes[byte - 1] !== LINE_FEED;
    const entry = { ...claim, header, byte, line, unterminated, tail: await file.tailAt(byte) };
    await put(entry, replaced);
    return entry;
  }

  /** The file is not what was claimed any more: close its entry; its committed rows stay counted. */
  async lost(entry: LedgerEntry, difference: Difference): Promise<FileOutcome> {
    const { log } = this.#own;
    const facts = { file: entry.path, fileId: entry.fileId, byte: entry.byte, rows: entry.read };
    if (difference.kind === 'vanished') {
      const problem = `it vanished while it was read, at byte ${String(entry.byte)} of ${String(entry.size)}`;
      log.error(facts, `${problem}; its ${String(entry.read)} rows up to there stay counted`);
      await this.#putFailed(moveTo(entry, 'failed', { ...NOT_SEEN, problem }), entry);
      return 'through';
    }
    log.warn(facts, `${difference.how}: its rows up to there stay counted, the content is a new file`);
    await this.#own.put(moveTo(entry, 'changed', { problem: difference.how }), entry);
    return 'again';
  }

  /** Nothing stands at the path. */
  async gone(path: string, entry: LedgerEntry | undefined): Promise<void> {
    if (entry?.state === 'reading') {
      await this.lost(entry, { kind: 'vanished' });
    } else if (entry !== undefined && isSettling(entry)) {
      // Ended between the deletion and its record; or somebody else was faster.
      await this.#own.put(moveTo(entry, 'settled', {}), entry);
    } else {
      this.#own.log.warn({ file: path }, 'gone before it was read');
    }
  }

  /** The file at `path` cannot be read, or not any further: says so in the ledger. */
  async fail(path: string, entry: LedgerEntry | undefined, problem: string): Promise<void> {
    this.#own.log.error({ file: path }, `not read: ${problem}`);
    const now = this.#own.clock.now();
    if (entry?.state === 'reading' || entry?.state === 'done' || entry?.state === 'failed') {
      await this.#putFailed(moveTo(entry, 'failed', { ...NOT_SEEN, problem, changedAt: now }), entry);
      return;
    }
    const unread = this.#newEntry({ path, ...NOT_SEEN }, NO_BYTES, entry);
    await this.#putFailed({ ...unread, state: 'failed', problem }, entry);
  }

  /** The entry of a file of which nothing has been read, that comes after `former` at its path. */
  #newEntry(
    { mtimeMs, path, size }: FileSignature & { readonly path: string },
    head: Fingerprint,
    former: LedgerEntry | undefined,
  ): LedgerEntry {
    const { clock, nextOrder, settings } = this.#own;
    const generation = former === undefined ? 0 : former.generation + 1;
    const now = clock.now();
    return {
      source: settings.sourceName,
      path,
      fileId: fileId(settings.sourceName, path, generation, head),
      generation,
      state: 'reading',
      order: nextOrder(),
      size,
      mtimeMs,
      head,
      tail: NO_BYTES,
      byte: 0,
      line: 0,
      read: 0,
      rejected: 0,
      unterminated: false,
      header: undefined,
      claimedAt: now,
      changedAt: now,
    };
  }

  async #putFailed(entry: LedgerEntry, before: LedgerEntry | undefined): Promise<void> {
    await this.#own.put(entry, before);
    this.#own.stats.filesFailed++;
  }
}
