import type { TimeBin } from './report-data.ts';
import { grouped, timeText } from './text.ts';

const WIDTH = 960;
const HEIGHT = 180;
const LEFT = 70;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 28;
const MINUTE_MS = 60_000;
/** About so many labels stand below the chart. */
const LABELS = 5;

/** Rows a minute over event time, as steps. @returns an `svg` element. */
export function timeChart(bins: readonly TimeBin[]): string {
  const [first, last] = [bins[0], bins.at(-1)];
  if (first === undefined || last === undefined) {
    return '';
  }
  const span = last.to - first.from;
  const rates = bins.map(({ from, rows, to }) => (rows / (to - from)) * MINUTE_MS);
  const top = roundUp(Math.max(...rates));
  const x = (ms: number): number => LEFT + ((ms - first.from) / span) * (WIDTH - LEFT - RIGHT);
  const y = (rate: number): number => HEIGHT - BOTTOM - (rate / top) * (HEIGHT - TOP - BOTTOM);
  const bars = bins.map(({ from, to }, index) => {
    const [left, right, height] = [x(from), x(to), y(rates[index] as number)];
    return `M${left.toFixed(1)} ${y(0).toFixed(1)}V${height.toFixed(1)}H${right.toFixed(1)}V${y(0).toFixed(1)}Z`;
  });
  const lines = [0, top / 2, top].map(
    (rate) =>
      `<path class="grid" d="M${String(LEFT)} ${y(rate).toFixed(1)}H${String(WIDTH - RIGHT)}"/>` +
      `<text class="axis" x="${String(LEFT - 6)}" y="${(y(rate) + 4).toFixed(1)}" text-anchor="end">${rateText(rate)}</text>`,
  );
  const times = Array.from({ length: LABELS }, (_, index) => first.from + (span * index) / (LABELS - 1)).map(
    (ms, index) => {
      const anchor = index === 0 ? 'start' : index === LABELS - 1 ? 'end' : 'middle';
      return `<text class="axis" x="${x(ms).toFixed(1)}" y="${String(HEIGHT - 8)}" text-anchor="${anchor}">${timeText(ms)}</text>`;
    },
  );
  return [
    `<svg class="chart" viewBox="0 0 ${String(WIDTH)} ${String(HEIGHT)}" role="img" aria-labelledby="chart-title">`,
    `<title id="chart-title">Rows a minute from ${timeText(first.from)} to ${timeText(last.to)} UTC</title>`,
    ...lines,
    `<path class="bars" d="${bars.join('')}"/>`,
    ...times,
    '</svg>',
  ].join('\n');
}

/** The next of 1, 2, 5, 10, 20, 50 and so on. */
function roundUp(value: number): number {
  const unit = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((step) => step * unit >= value) ?? 10) * unit;
}

function rateText(rate: number): string {
  return rate === 0 || rate >= 10 ? grouped(rate) : rate.toPrecision(2);
}
