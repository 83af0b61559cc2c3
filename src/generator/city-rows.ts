import type { Crowd, MutablePosition } from './crowd.ts';
import { writeDecimal } from './decimal.ts';
import { COMMA, LINE_FEED, TimepointWriter, writeUuid4, ZERO } from './fields.ts';
import { cosineOfDegrees, type RandomSource } from './random.ts';
import { timeOfRow, type TimeSpread, type WriteRows } from './rows.ts';

/** Coordinates have seven decimals, as phones tell them: a centimetre. */
const UNITS_PER_DEGREE = 1e7;
/** The crowd is weighed anew so often, in the time of the rows, but not for fewer rows than these. */
const TICK_MS = 10_000;
const ROWS_PER_TICK = 1_024;

/**
 * Rows of a crowd, and among them `noise`, a share in [0, 1] of rows from anywhere on the sphere, each of
 * a device of its own.
 */
export function cityRows(
  crowd: Crowd,
  noise: number,
  { bits, unit }: RandomSource,
  times: TimeSpread,
): WriteRows {
  const tickMs = Math.max(TICK_MS, Math.ceil((times.spanMs / times.rows) * ROWS_PER_TICK));
  const timepoints = new TimepointWriter();
  const position: MutablePosition = { longitude: 0, latitude: 0 };
  return (bytes, first, count) => {
    let at = 0;
    for (let index = first; index < first + count; index++) {
      const time = timeOfRow(times, index);
      at = timepoints.write(bytes, at, time);
      bytes[at++] = COMMA;
      if (unit() < noise) {
        at = writeUuid4(bytes, at, bits(), bits(), bits(), bits());
        anywhere(unit, position);
      } else {
        crowd.weigh((Math.floor(time / tickMs) + 0.5) * tickMs);
        const { device, spot } = crowd.pick(unit(), unit());
        const [a, b, c, d] = [0, 1, 2, 3].map((word) => crowd.word(device, word)) as [
          number,
          number,
          number,
          number,
        ];
        at = writeUuid4(bytes, at, a, b, c, d);
        crowd.locate(spot, device, time, position);
      }
      bytes[at++] = COMMA;
      for (let axis = 0; axis < 3; axis++) {
        at = writeDecimal(bytes, at, -2 + 12 * unit());
        bytes[at++] = COMMA;
      }
      at = writeDecimal(bytes, at, rounded(position.longitude));
      bytes[at++] = COMMA;
      at = writeDecimal(bytes, at, rounded(position.latitude));
      bytes[at++] = COMMA;
      bytes[at++] = ZERO + (bits() >>> 31);
      bytes[at++] = LINE_FEED;
    }
    return at;
  };
}

/** Uniform on the sphere: latitudes are as frequent as their parallel is long. */
function anywhere(unit: () => number, to: MutablePosition): void {
  to.longitude = -180 + 360 * unit();
  do {
    to.latitude = -90 + 180 * unit();
  } while (unit() >= cosineOfDegrees(to.latitude));
}

function rounded(degrees: number): number {
  return Math.round(degrees * UNITS_PER_DEGREE) / UNITS_PER_DEGREE;
}
