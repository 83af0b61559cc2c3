import { joinFields } from '../rows/fields.ts';
import type { NamedModel } from './geojson.ts';

const COLUMNS = [
  'id',
  'longitude',
  'latitude',
  'place',
  'weight',
  'share',
  'radiusKm',
  'centerX',
  'centerY',
  'centerZ',
] as const;

/**
 * A model's clusters as CSV (RFC 4180): a header, a line a cluster, lines ending in CRLF; doubles in the shortest
 * form that reads back to the same bits. The place is empty where the model knows none.
 */
export function serializeClustersCsv(model: NamedModel): string {
  const lines = model.clusters.map(({ center, id, latitude, longitude, place, radiusKm, share, weight }) => {
    const before = [id, longitude, latitude].map(String);
    return joinFields([...before, place?.text ?? '', ...[weight, share, radiusKm, ...center].map(String)]);
  });
  return [COLUMNS.join(','), ...lines, ''].join('\r\n');
}
