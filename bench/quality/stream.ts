import { createHash } from 'node:crypto';
import { fillUnitVectors } from '../../src/geo/sphere.ts';
import { chanceOf } from './chance.ts';
import { chanceOfStream, type Scenario } from './scenarios.ts';

/** The rows of a stream in the order in which they come. */
export interface Rows {
  readonly count: number;
  /** Unit vectors of the rows' positions. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
  /** Of the positions: equal for equal rows only. The event times are not in it. */
  readonly checksum: string;
}

/** Positions have six decimals, about a decimetre, as devices report them. */
const MICRO = 1e6;
const HALF_TURN = 180 * MICRO;
const POLE = 90 * MICRO;

/** The same seed gives the same rows on every machine. */
export function streamOf(scenario: Scenario, seed: number, count: number): Rows {
  const draw = scenario.draw(chanceOfStream(scenario, seed));
  const east = new Int32Array(count);
  const north = new Int32Array(count);
  for (let row = 0; row < count; row++) {
    const [longitude, latitude] = draw(row / count);
    [east[row], north[row]] = onSphere(Math.round(longitude * MICRO), Math.round(latitude * MICRO));
  }
  const hash = createHash('sha256');
  for (const { buffer } of [east, north]) {
    hash.update(new Uint8Array(buffer));
  }
  const degrees = (column: Int32Array): Float64Array => Float64Array.from(column, (value) => value / MICRO);
  const [x, y, z] = [new Float64Array(count), new Float64Array(count), new Float64Array(count)];
  fillUnitVectors(degrees(east), degrees(north), x, y, z, 0, count);
  return { count, x, y, z, checksum: hash.digest('hex').slice(0, 16) };
}

/** What passes a pole goes down on its other side; longitudes wrap. In millionths of a degree. */
function onSphere(east: number, north: number): [number, number] {
  let turned = east;
  let latitude = north;
  if (Math.abs(north) > POLE) {
    latitude = Math.sign(north) * HALF_TURN - north;
    turned += HALF_TURN;
  }
  const longitude =
    ((((turned + HALF_TURN) % (2 * HALF_TURN)) + 2 * HALF_TURN) % (2 * HALF_TURN)) - HALF_TURN;
  return [longitude, latitude];
}

const DEVICES = 10_000;
const REPORT_EVERY_MS = 60_000;
const BEGIN = Date.UTC(2026, 0, 15, 8);
/** Reports take up to so long to come: event times are not in the order of the rows. */
const DELAY_MS = 10_000;

/**
 * Event times in ms: 10,000 devices that each report once a minute, or so many rows spread over
 * `hours`.
 */
export function eventTimes(count: number, seed: number, hours?: number): Float64Array {
  const { unit } = chanceOf('event times', seed);
  const span = hours === undefined ? (count / DEVICES) * REPORT_EVERY_MS : hours * 3_600_000;
  return Float64Array.from({ length: count }, (_, row) =>
    Math.round(BEGIN + (row / count) * span - DELAY_MS * unit()),
  );
}
