import type { Broker } from '../../broker/broker.ts';
import { decodeHead, HEAD } from '../../clustering/summary-format.ts';
import { regionCount } from '../../geo/s2.ts';
import { parseSummaryKey } from '../partition/summary-chunks.ts';
import { SUMMARY_PREFIX } from '../topics.ts';

/** Greatest event time of the rows of each region that are in the committed summaries of a partition, by region. */
export async function committedWatermarks(
  broker: Broker,
  table: string,
  partition: number,
  level: number,
): Promise<Float64Array> {
  const watermarks = new Float64Array(regionCount(level)).fill(-Infinity);
  for await (const { key, value } of broker.tableEntries(table, partition, SUMMARY_PREFIX)) {
    const { chunk, part } = parseSummaryKey(key);
    if (part === HEAD && chunk === 0) {
      const { region, watermark } = decodeHead(value);
      watermarks[region] = watermark;
    }
  }
  return watermarks;
}
