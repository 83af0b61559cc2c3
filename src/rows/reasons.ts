/**
 * Why a row is set aside. The order is part of the kernel's interface (the verdict byte is the
 * index), so reasons are only ever appended. 0 means the row is good.
 */
export const REJECT_REASONS = [
  'none',
  'line-too-long',
  'nul-byte',
  'invalid-utf8',
  'quote',
  'column-count',
  'header-line',
  'longitude-not-a-number',
  'latitude-not-a-number',
  'longitude-out-of-range',
  'latitude-out-of-range',
  'time-invalid',
  'future',
  'late',
  'empty-message',
  'cut-line',
  'poison',
  'discarded',
] as const;

export type RejectReason = Exclude<(typeof REJECT_REASONS)[number], 'none'>;

/** Index into `REJECT_REASONS`. */
export type Verdict = number;

export const ACCEPTED: Verdict = 0;

export function verdictOf(reason: RejectReason): Verdict {
  return REJECT_REASONS.indexOf(reason);
}

export function reasonOf(verdict: Verdict): RejectReason {
  const reason = REJECT_REASONS[verdict];
  if (reason === undefined || reason === 'none') {
    throw new RangeError(`verdict ${String(verdict)} names no reject reason`);
  }
  return reason;
}
