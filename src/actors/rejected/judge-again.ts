import { regionOf } from '../../geo/s2.ts';
import { unitVector } from '../../geo/sphere.ts';
import { latitude, longitude } from '../../geo/axes.ts';
import { allocateColumns } from '../../rows/columns.ts';
import { explainRejection } from '../../rows/explain.ts';
import { joinFields } from '../../rows/fields.ts';
import {
  type ColumnOverride,
  type HeaderDecision,
  readHeader,
  type SourceMapping,
} from '../../rows/header.ts';
import { TOPIC_COLUMNS, TOPIC_LAYOUT } from '../../rows/kernel.ts';
import { ACCEPTED, type RejectReason, reasonOf } from '../../rows/reasons.ts';
import { maxTopicLineBytes, rewriteLine } from '../../rows/topic-line.ts';
import { createTypeScriptKernel } from '../../rows/typescript-kernel.ts';
import type { RejectedRow } from './rejected-row.ts';

/** What rows are judged by now: settings may have changed since a row was rejected, and time has passed. */
export interface JudgeSettings {
  readonly columns: ColumnOverride;
  readonly utcOffsetMinutes: number;
  readonly maxLineBytes: number;
  readonly maxFutureMs: number;
  /** S2 level of the regions. */
  readonly level: number;
}

export type Verdict =
  | {
      readonly kind: 'accepted';
      /** In the topic's columns. */
      readonly line: Uint8Array;
      /** Index of the region's cell. */
      readonly region: number;
    }
  | {
      readonly kind: 'rejected';
      readonly reason: RejectReason | 'cut' | 'no-header';
      readonly message: string;
    };

/** How a line of the topic's own form is read. */
const TOPIC_MAPPING: SourceMapping = {
  layout: TOPIC_LAYOUT,
  sources: TOPIC_COLUMNS.map((_, position) => position),
  header: [],
};

const text = new TextDecoder();

/**
 * Judges a rejected row by the settings of now.
 * @param header how its file is read, for a row that the publisher rejected
 * @param now wall-clock ms
 */
export function judgeAgain(
  row: RejectedRow,
  header: HeaderDecision | undefined,
  settings: JudgeSettings,
  now: number,
): Verdict {
  const bytes = Buffer.from(row.row.text, row.row.encoding);
  if (bytes.length < row.row.bytes) {
    return {
      kind: 'rejected',
      reason: 'cut',
      message: `only the first ${String(bytes.length)} of its ${String(row.row.bytes)} bytes are kept: give the row with --row`,
    };
  }
  if (row.stage !== 'publisher') {
    // A line may be longer on the topic than in its file.
    const maxLineBytes = maxTopicLineBytes(settings.maxLineBytes);
    return judge(bytes, TOPIC_MAPPING, { ...settings, utcOffsetMinutes: 0, maxLineBytes }, now);
  }
  const mapping = mappingNow(bytes, header, settings.columns);
  return typeof mapping === 'string'
    ? { kind: 'rejected', reason: 'no-header', message: mapping }
    : judge(bytes, mapping, settings, now);
}

/** Judges what is to stand in a rejected row's place: a line in the topic's columns, its time in UTC. */
export function judgeReplacement(line: string, settings: JudgeSettings, now: number): Verdict {
  return judge(Buffer.from(line), TOPIC_MAPPING, { ...settings, utcOffsetMinutes: 0 }, now);
}

/** The mapping by `source.columns` as it is now; why there is none. */
function mappingNow(
  row: Uint8Array,
  header: HeaderDecision | undefined,
  columns: ColumnOverride,
): SourceMapping | string {
  if (header === undefined || header.kind === 'unusable') {
    return 'it is not known how its file is read: its entry in the ledger has no header';
  }
  if (header.kind !== 'headerless') {
    const decision = readHeader(joinFields(header.header), columns);
    return decision.kind === 'unusable' ? decision.message : decision;
  }
  // Without a header a row tells the columns itself, if it can.
  const decision = readHeader(text.decode(row), columns);
  return decision.kind === 'headerless' ? decision : header;
}

function judge(line: Uint8Array, mapping: SourceMapping, settings: JudgeSettings, now: number): Verdict {
  const { level, maxFutureMs, maxLineBytes, utcOffsetMinutes } = settings;
  const { layout } = mapping;
  const kernel = createTypeScriptKernel({
    layout,
    utcOffsetMinutes,
    maxLineBytes,
    maxTime: now + maxFutureMs,
  });
  const columns = allocateColumns(2);
  const { rows } = kernel.parse(line, 0, line.length, true, columns, 0, 2);
  if (rows !== 1) {
    const message = rows === 0 ? 'it is blank' : 'it is more than one line';
    return { kind: 'rejected', reason: rows === 0 ? 'empty-message' : 'quote', message };
  }
  const verdict = columns.verdict[0] as number;
  if (verdict !== ACCEPTED) {
    const reason = reasonOf(verdict);
    return { kind: 'rejected', reason, message: explainRejection(line, layout, reason, { maxLineBytes }) };
  }
  const [x, y, z] = unitVector({
    longitude: longitude(columns.longitude[0] as number),
    latitude: latitude(columns.latitude[0] as number),
  });
  const start = columns.lineStart[0] as number;
  const accepted = line.subarray(start, start + (columns.lineLength[0] as number));
  return {
    kind: 'accepted',
    line: rewriteLine(accepted, mapping, utcOffsetMinutes),
    region: regionOf(x, y, z, level),
  };
}
