import { CommandError, type ErrorCode, type Outcome } from '../../admin/outcome.ts';
import { BrokerError } from '../../broker/errors.ts';
import { RewindUnderWayError, TimeNotKeptError } from '../models/model-at.ts';
import { RewindRefusedError } from '../rewind/request-rewind.ts';

/** What went wrong, as it is told through every door. */
export function failureOf(error: unknown): Outcome {
  const message = error instanceof Error ? error.message : String(error);
  return { status: 'failed', error: { code: codeOf(error), message } };
}

/** Whether it was refused for a reason that holds for every replica. */
export function isRefusal(error: unknown): boolean {
  return error instanceof CommandError || error instanceof RewindRefusedError;
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof CommandError) {
    return error.code;
  }
  if (error instanceof RewindRefusedError || error instanceof TimeNotKeptError) {
    return 'refused';
  }
  if (error instanceof RewindUnderWayError) {
    return 'busy';
  }
  if (error instanceof BrokerError) {
    return 'unavailable';
  }
  return error instanceof Error && error.name === 'AbortError' ? 'stopping' : 'internal';
}
