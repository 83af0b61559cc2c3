import { modelAt } from '../actors/models/model-at.ts';
import { collectReport } from '../actors/reporter/collect-report.ts';
import { type Format, FORMATS } from '../actors/reporter/formats.ts';
import { replaceFile } from '../actors/reporter/replace-file.ts';
import type { TimeOptions } from '../clustering/model-time.ts';
import { driftOptionsOf, modelOptionsOf, timeOptionsOf } from '../clustering-options.ts';
import type { Configuration } from '../config/schema.ts';
import { packageVersion } from '../version.ts';
import { EXIT_OK, type Output } from './usage.ts';
import { withState } from './with-state.ts';

export interface ReportOptions {
  readonly format: Extract<Format, 'html' | 'md'>;
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
  const { clustering, regions } = configuration;
  return await withState(configuration, output, async (state) => {
    const { model } = await modelAt(state, {
      model: modelOptionsOf(clustering),
      time: { ...timeOptionsOf(clustering), ...time },
      drift: driftOptionsOf(configuration),
    });
    const data = await collectReport(state, { model, level: regions.level, version: packageVersion() });
    const text = FORMATS[format](data);
    if (to === undefined) {
      output.out(text);
    } else {
      await replaceFile(to, text);
      output.err(`written to ${to}\n`);
    }
    return EXIT_OK;
  });
}
