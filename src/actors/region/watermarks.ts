import type { Broker } from '../../broker/broker.ts';
import { formWithFirstPart } from '../../clustering/region-algorithm.ts';
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
    const form = chunk === 0 ? formWithFirstPart(part) : undefined;
    if (form !== undefined) {
      const { region, watermark } = form.headOf(value);
      watermarks[region] = watermark;
    }
  }
  return watermarks;
}
