import { buildModel } from '../../src/clustering/model.ts';
import type { ReportData } from '../../src/report/report-data.ts';
import type { Place } from '../../src/geo/place.ts';
import { pointsAt, sourcesOf } from '../clustering/points.ts';

const NOW = Date.UTC(2026, 10, 25, 9, 30);
const LEVEL = 3;
/** Text of others that would do harm as markup. */
export const HARM = `<script>alert("1")</script> & 'more' | \`code\` [link](x) ~~gone~~ &lt;`;

const PLACES: readonly (Place | null)[] = [
  { name: 'Lagos', country: 'Nigeria', countryCode: 'NG', distanceKm: 3.2, text: 'near Lagos, Nigeria' },
  { name: HARM, country: HARM, countryCode: 'XX', distanceKm: 3.2, text: HARM },
  null,
];

/** Crowds at cities, on both sides of the antimeridian and around both poles, with everything a report can say. */
export function reportData(): ReportData {
  const places: readonly (readonly [number, number])[] = [
    [3.39, 6.45],
    [139.7, 35.7],
    [-74, 40.7],
    [179.9, -18],
    [-179.9, -17],
    [0, 89.5],
    [90, 89.5],
    [-100, -89],
  ];
  const points = pointsAt(
    Array.from({ length: 4_000 }, (_, n) => {
      const [east, north] = places[n % places.length] as readonly [number, number];
      return [east, north - (n % 7) / 100] as const;
    }),
  );
  const sources = sourcesOf(points, 2000, LEVEL);
  const model = buildModel(sources, { k: 6, seedings: 2 });
  return {
    madeAt: NOW,
    version: '1.2.3',
    level: LEVEL,
    model: {
      ...model,
      clusters: model.clusters.map((cluster, index) => ({ ...cluster, place: PLACES[index] ?? null })),
      time: {
        from: null,
        to: null,
        watermark: new Date(NOW).toISOString(),
        rows: 4_000,
        halfLifeSeconds: 7200,
      },
    },
    regions: sources.map(({ region, tree }) => ({ region, rows: tree.totalWeight() })),
    rowsOverTime: Array.from({ length: 48 }, (_, bin) => ({
      from: NOW - (48 - bin) * 1_800_000,
      to: NOW - (47 - bin) * 1_800_000,
      rows: 100 + 7 * bin,
    })),
    rows: { read: 4_007, counted: 4_000, rejected: 7 },
    rejected: [
      {
        reason: 'latitude-out-of-range',
        rows: 5,
        examples: [{ message: HARM, where: `${HARM}.csv, line 7`, row: HARM }],
      },
      { reason: 'quote', rows: 2, examples: [] },
    ],
    files: {
      done: 3,
      failed: 1,
      last: [
        { path: 'mobile_data_1.csv', state: 'done', read: 4_007, rejected: 7, problem: undefined },
        { path: HARM, state: 'failed', read: 0, rejected: 0, problem: HARM },
      ],
    },
    events: [
      { at: NOW, event: { type: 'moved', id: 3, km: 12.34 } },
      { at: NOW, event: { type: 'split', id: 4, from: 1 } },
      { at: NOW, event: { type: 'merged', id: 5, into: 1 } },
      { at: NOW, event: { type: 'born', id: 6 } },
      { at: NOW, event: { type: 'died', id: 7 } },
    ],
  };
}

/** Of a Geoflock that has counted nothing. */
export function emptyReportData(): ReportData {
  return {
    madeAt: NOW,
    version: '1.2.3',
    level: LEVEL,
    model: { ...buildModel([], { k: 5 }), clusters: [] },
    regions: [],
    rowsOverTime: [],
    rows: { read: 0, counted: 0, rejected: 0 },
    rejected: [],
    files: { done: 0, failed: 0, last: [] },
    events: [],
  };
}
