import type { OutgoingRecord } from '../../broker/broker.ts';
import { latitude, longitude } from '../../geo/axes.ts';
import { regionOf, regionToken } from '../../geo/s2.ts';
import { unitVector } from '../../geo/sphere.ts';
import { formatTimepoint } from '../../rows/timepoint.ts';

const SAMPLE_LONGITUDE = longitude(55);
const SAMPLE_LATITUDE = latitude(45);

/** One row of the test source: always the same place, now. */
export function sampleRecord(level: number, now: number): OutgoingRecord & { readonly key: string } {
  const [x, y, z] = unitVector({ longitude: SAMPLE_LONGITUDE, latitude: SAMPLE_LATITUDE });
  const fields = [
    formatTimepoint(now),
    '00000000-0000-4000-8000-000000000000',
    '0.0',
    '0.0',
    '9.81',
    String(SAMPLE_LONGITUDE),
    String(SAMPLE_LATITUDE),
    '0',
  ];
  return {
    key: regionToken(regionOf(x, y, z, level), level),
    value: new TextEncoder().encode(fields.join(',')),
    timestamp: now,
  };
}
