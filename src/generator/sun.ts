const HOUR_MS = 3_600_000;
const HOURS = 24;
const DEGREES_PER_HOUR = 15;

/**
 * How much is reported at each hour of local solar time, of the busiest: lowest at 4 h, high through the
 * day, highest in the evening, as the traffic of mobile networks is.
 */
const BY_HOUR = [
  0.48, 0.32, 0.22, 0.17, 0.15, 0.18, 0.28, 0.45, 0.62, 0.72, 0.78, 0.8, 0.83, 0.84, 0.83, 0.84, 0.87, 0.92,
  0.97, 1, 1, 0.96, 0.85, 0.67,
];

/** Hours of local mean solar time, in [0, 24): noon is when the mean sun is in the south or north. */
export function solarHour(timeMs: number, longitude: number): number {
  const hours = (timeMs / HOUR_MS + longitude / DEGREES_PER_HOUR) % HOURS;
  return hours < 0 ? hours + HOURS : hours;
}

/** Share of the busiest hour's activity, in (0, 1], linear from hour to hour. */
export function activityAt(hour: number): number {
  const whole = Math.floor(hour);
  const before = BY_HOUR[whole % HOURS] as number;
  const after = BY_HOUR[(whole + 1) % HOURS] as number;
  return before + (hour - whole) * (after - before);
}
