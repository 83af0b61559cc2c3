import { eventInWords } from './in-words.ts';
import type { RejectedReason, ReportData } from './report-data.ts';
import { grouped, kmText, percent, positionText, timeText } from './text.ts';

/** Numbers stand to the right; code is text of others, as it is. */
export interface Column {
  readonly head: string;
  readonly kind: 'text' | 'number' | 'code';
}

/** What a table says, in whatever form it is shown. */
export interface Table {
  readonly columns: readonly Column[];
  /** A text for each column. */
  readonly rows: readonly (readonly string[])[];
}

const text = (head: string): Column => ({ head, kind: 'text' });
const number = (head: string): Column => ({ head, kind: 'number' });
const code = (head: string): Column => ({ head, kind: 'code' });

export function clusterTable({ clusters }: ReportData['model']): Table {
  return {
    columns: [
      number('id'),
      text('place'),
      text('center'),
      number('rows'),
      number('share'),
      number('radius, km'),
    ],
    rows: clusters.map((cluster) => [
      String(cluster.id),
      cluster.place?.text ?? '',
      positionText(cluster),
      grouped(cluster.weight),
      percent(cluster.share),
      kmText(cluster.radiusKm),
    ]),
  };
}

/** What each number of clusters that was judged would cost; no rows where k was not chosen. */
export function curveTable({ k: chosen, kChoice }: ReportData['model']): Table {
  return {
    columns: [number('k'), number('cost'), number('BIC'), text('choice')],
    rows: (kChoice?.curve ?? []).map(({ bic, cost, k }) => [
      String(k),
      cost.toPrecision(6),
      bic.toFixed(1),
      k === chosen ? 'chosen' : '',
    ]),
  };
}

export function rejectedTable({ rejected }: ReportData): Table {
  return {
    columns: [text('reason'), number('rows')],
    rows: rejected.map(({ reason, rows }) => [reason, grouped(rows)]),
  };
}

export function examplesTable({ examples }: RejectedReason): Table {
  return {
    columns: [text('where'), code('row'), text('why')],
    rows: examples.map(({ message, row, where }) => [where, row, message]),
  };
}

export function filesTable({ files }: ReportData): Table {
  return {
    columns: [code('file'), text('state'), number('rows'), number('rejected')],
    rows: files.last.map(({ path, problem, read, rejected, state }) => [
      path,
      problem === undefined ? state : `${state}: ${problem}`,
      grouped(read),
      grouped(rejected),
    ]),
  };
}

export function historyTable({ events }: ReportData): Table {
  return {
    columns: [text('published, UTC'), text('of'), text('what')],
    rows: events.map(({ at, event }) => {
      const [about, ...what] = eventInWords(event);
      return [timeText(at), about, what.join(', ')];
    }),
  };
}
