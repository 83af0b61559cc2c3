import type { ModelFormat } from '../../clustering/model-formats.ts';
import { modelText } from '../../clustering/model-text.ts';
import type { Steps } from '../../clustering/slices.ts';
import { reportHtml } from '../../report/html.ts';
import { reportMarkdown } from '../../report/markdown.ts';
import type { ReportData } from '../../report/report-data.ts';

/** The forms of the report, by the extensions of their files. */
export const REPORT_FORMATS = ['html', 'md'] as const;

export type ReportFormat = (typeof REPORT_FORMATS)[number];

export type Format = ReportFormat | ModelFormat;

export function* reportText(data: ReportData, format: ReportFormat): Steps<string> {
  return format === 'html' ? yield* reportHtml(data) : reportMarkdown(data);
}

/** The report, or the model alone; undefined where a form has no word for the model. */
export function* textOf(data: ReportData, format: Format): Steps<string | undefined> {
  return format === 'html' || format === 'md'
    ? yield* reportText(data, format)
    : modelText(data.model, format, data.version);
}
