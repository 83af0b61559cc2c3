import { inSlices } from '../actors/in-slices.ts';
import { modelAt } from '../actors/models/model-at.ts';
import { collectReport } from '../actors/reporter/collect-report.ts';
import { type ReportFormat, reportText } from '../actors/reporter/formats.ts';
import type { TimeOptions } from '../clustering/model-time.ts';
import { modelSettingsOf } from '../clustering-options.ts';
import type { Configuration } from '../config/schema.ts';
import { packageVersion } from '../version.ts';
import type { Output } from './usage.ts';
import { withState } from './with-state.ts';
import { writeResult } from './write-result.ts';

export interface ReportOptions {
  readonly format: ReportFormat;
  /** File to write it to; standard output without. */
  readonly to: string | undefined;
  readonly time: TimeOptions;
}

/** `geoflock report`: the report of the rows that are committed now, or were by a time. */
export async function reportCommand(
  configuration: Configuration,
  { format, time, to }: ReportOptions,
  output: Output,
): Promise<number> {
  return await withState(configuration, output, async (state) => {
    const { model } = await modelAt(state, modelSettingsOf(configuration, time));
    const { level } = configuration.regions;
    const data = await collectReport(state, { model, level, version: packageVersion() });
    return await writeResult(await inSlices(reportText(data, format), state), to, output);
  });
}
