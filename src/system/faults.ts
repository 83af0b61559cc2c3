/**
 * Named points at which the kill tests end the process, exactly as SIGKILL from outside would.
 * Armed only by `GEOFLOCK_FAULT=<point>:<n>` (the n-th pass, 1-based); otherwise a pass costs one
 * comparison. It lives in the product because "killed between commit and settle" can be hit from
 * outside only by luck.
 */
export const FAULT_POINTS = [
  'publish-transaction',
  'checkpoint',
  'commit-settle',
  'flush-acknowledge',
] as const;

export type FaultPoint = (typeof FAULT_POINTS)[number];

interface ArmedFault {
  readonly point: string;
  remaining: number;
}

function readArmedFault(setting: string | undefined): ArmedFault | undefined {
  if (setting === undefined || setting === '') {
    return undefined;
  }
  const [point, passes] = setting.split(':');
  if (!(FAULT_POINTS as readonly (string | undefined)[]).includes(point) || point === undefined) {
    throw new Error(`GEOFLOCK_FAULT names no fault point: ${setting} (one of ${FAULT_POINTS.join(', ')})`);
  }
  return { point, remaining: Number(passes ?? '1') };
}

const armed = readArmedFault(process.env['GEOFLOCK_FAULT']);

export function faultPoint(point: FaultPoint): void {
  if (armed?.point === point && --armed.remaining === 0) {
    process.kill(process.pid, 'SIGKILL');
  }
}
