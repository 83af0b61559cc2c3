import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Rows } from './stream.ts';

/** What scikit-learn's clusterings of a stream cost. */
export interface Reference {
  /** `KMeans(n_init=10)`: what the program is judged by. */
  readonly kMeans: number;
  /** `MiniBatchKMeans` with its defaults: shown beside it. */
  readonly miniBatch: number;
  readonly versions: Readonly<Record<string, string>>;
}

/** Which clustering of which rows. */
export interface ReferenceKey {
  readonly scenario: string;
  readonly seed: number;
  readonly k: number;
}

interface Entry extends ReferenceKey, Reference {
  readonly rows: number;
  readonly checksum: string;
}

const SCRIPT = fileURLToPath(new URL('reference.py', import.meta.url));
const TABLE = fileURLToPath(new URL('reference-costs.json', import.meta.url));

/** Whether this Python has scikit-learn. */
export function hasScikitLearn(python: string): boolean {
  return spawnSync(python, ['-c', 'import numpy, sklearn.cluster'], { stdio: 'ignore' }).status === 0;
}

/**
 * Has the script cluster the rows, which takes up to minutes.
 * @throws Error when Python fails.
 */
export async function computeReference(
  python: string,
  { k, seed }: ReferenceKey,
  rows: Rows,
): Promise<Reference> {
  const folder = mkdtempSync(join(tmpdir(), 'geoflock-quality-'));
  try {
    const file = join(folder, 'rows.f64');
    writeFileSync(file, littleEndian(rows));
    const output = await outputOf(python, [SCRIPT, file, '--k', String(k), '--seed', String(seed)]);
    const { rows: read, ...reference } = JSON.parse(output) as Reference & { rows: number };
    if (read !== rows.count) {
      throw new Error(`${SCRIPT} read ${String(read)} rows of ${String(rows.count)}`);
    }
    return reference;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function littleEndian({ count, x, y, z }: Rows): Uint8Array {
  const bytes = new Uint8Array(count * 24);
  const view = new DataView(bytes.buffer);
  for (let row = 0; row < count; row++) {
    view.setFloat64(row * 24, x[row] as number, true);
    view.setFloat64(row * 24 + 8, y[row] as number, true);
    view.setFloat64(row * 24 + 16, z[row] as number, true);
  }
  return bytes;
}

async function outputOf(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('close', resolve);
  });
  if (code !== 0) {
    throw new Error(`${command} ended with ${String(code)}`);
  }
  return output;
}

/** The committed costs, for where there is no scikit-learn. */
export class ReferenceTable {
  readonly #entries: Map<string, Entry>;

  constructor(entries: readonly Entry[]) {
    this.#entries = new Map(entries.map((entry) => [idOf(entry, entry.rows), entry]));
  }

  static read(): ReferenceTable {
    return new ReferenceTable(JSON.parse(readFileSync(TABLE, 'utf8')) as Entry[]);
  }

  /**
   * Undefined when there is no entry.
   * @throws Error when the entry is of other rows or of another k.
   */
  find(key: ReferenceKey, rows: Rows): Reference | undefined {
    const id = idOf(key, rows.count);
    const entry = this.#entries.get(id);
    if (entry !== undefined && (entry.checksum !== rows.checksum || entry.k !== key.k)) {
      throw new Error(
        `the committed cost of ${id} is of rows ${entry.checksum} with k = ${String(entry.k)}, and these are ` +
          `rows ${rows.checksum} with k = ${String(key.k)}: compute it anew (--python, --record)`,
      );
    }
    return entry;
  }

  record({ k, scenario, seed }: ReferenceKey, rows: Rows, reference: Reference): void {
    const { count, checksum } = rows;
    const { kMeans, miniBatch, versions } = reference;
    const entry = { scenario, seed, rows: count, k, checksum, kMeans, miniBatch, versions };
    this.#entries.set(idOf(entry, count), entry);
    const sorted = [...this.#entries.values()].sort(
      (a, b) =>
        (a.scenario < b.scenario ? -1 : +(a.scenario > b.scenario)) || a.rows - b.rows || a.seed - b.seed,
    );
    writeFileSync(TABLE, `[\n${sorted.map((one) => `  ${JSON.stringify(one)}`).join(',\n')}\n]\n`);
  }
}

function idOf({ scenario, seed }: ReferenceKey, rows: number): string {
  return `${scenario}, seed ${String(seed)}, ${String(rows)} rows`;
}
