import type { LogRecord } from '../../broker/broker.ts';
import { decodeRedriven } from '../rejected/redriven.ts';
import type { TopicNames } from '../topics.ts';
import type { RowSource } from './progress.ts';

const LEDGER: RowSource = { kind: 'ledger' };
const FOREIGN: RowSource = { kind: 'foreign' };

/** Where a message's rows come from, as its headers tell. */
export function sourceOf(
  { headers }: Pick<LogRecord, 'headers'>,
  { originHeader, redrivenHeader }: Pick<TopicNames, 'originHeader' | 'redrivenHeader'>,
): RowSource {
  const redriven = headers[redrivenHeader];
  if (redriven === undefined) {
    return headers[originHeader] === undefined ? FOREIGN : LEDGER;
  }
  try {
    return { kind: 'redriven', redriven: decodeRedriven(redriven) };
  } catch {
    // No redrive of ours has written that: whatever it is, it must not end the process.
    return FOREIGN;
  }
}
