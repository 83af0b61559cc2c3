import { fraction, mix } from './random.ts';

/** Where a device is, km east and north of where it lives. */
export interface Offset {
  east: number;
  north: number;
}

interface Mode {
  /** Half the side of the square in which its waypoints lie, km. */
  readonly rangeKm: number;
  /** Speeds, km/s. */
  readonly slowest: number;
  readonly fastest: number;
}

/** The farthest of its waypoints is reached at the slowest speed within a leg. */
const WALK: Mode = { rangeKm: 0.4, slowest: 0.8e-3, fastest: 1.8e-3 };
const DRIVE: Mode = { rangeKm: 5, slowest: 10e-3, fastest: 25e-3 };
const DRIVERS = 0.3;

/** No device is faster, m/s: 90 km/h. */
export const FASTEST_METRES_PER_SECOND = DRIVE.fastest * 1e3;

const LEG_MS = 25 * 60_000;

/**
 * The random waypoint model with pauses (Johnson and Maltz, Dynamic Source Routing in Ad Hoc Wireless
 * Networks, 1996): at the start of each leg a device sets out, straight and at a speed of its own, for a place near
 * its home, and waits there for the next leg. A walker's or a driver's, for life. It is a pure function of
 * seed, device and time, continuous in time, so a device is never lost sight of and nothing is kept of it.
 * @param device hash of seed and device, 32 bits
 * @param to takes the result
 */
export function pathOf(device: number, timeMs: number, to: Offset): void {
  const mode = fraction(mix(device ^ 0x2545f491)) < DRIVERS ? DRIVE : WALK;
  const legs = timeMs / LEG_MS + fraction(mix(device ^ 0x6c078965));
  const leg = Math.floor(legs);
  const start = mix(device ^ Math.imul(leg, 0x9e3779b1));
  const end = mix(device ^ Math.imul(leg + 1, 0x9e3779b1));
  const east = waypoint(start, 0x1b873593, mode);
  const north = waypoint(start, 0x27d4eb2f, mode);
  const eastward = waypoint(end, 0x1b873593, mode) - east;
  const northward = waypoint(end, 0x27d4eb2f, mode) - north;
  const speed = mode.slowest + (mode.fastest - mode.slowest) * fraction(mix(start ^ 0x165667b1));
  const seconds = (legs - leg) * (LEG_MS / 1000);
  const way = Math.sqrt(eastward * eastward + northward * northward);
  const gone = way > 0 ? Math.min(1, (seconds * speed) / way) : 0;
  to.east = east + gone * eastward;
  to.north = north + gone * northward;
}

function waypoint(hash: number, salt: number, { rangeKm }: Mode): number {
  return (2 * fraction(mix(hash ^ salt)) - 1) * rangeKm;
}
