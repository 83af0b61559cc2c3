import { MOST_NAMES, type ModelLineage } from '../actors/models/lineage.ts';
import type { RowSpan } from '../clustering/model-time.ts';
import { formatDuration } from '../config/units.ts';
import { grouped } from '../report/text.ts';

/** Where a model comes from, a line each: rows' times, files, next offsets, settings and version. */
export function lineageText(
  { files, settings, span, version }: ModelLineage,
  nextOffsets: readonly number[],
): readonly string[] {
  const { done, names } = files;
  const more = names.length === MOST_NAMES ? ', ...' : '';
  const listed = names.length === 0 ? '' : `: ${names.join(', ')}${more}`;
  return [
    `times     ${spanText(span)}`,
    `files     ${grouped(done)} read to the end${listed}`,
    `offsets   next ${nextOffsets.map((next, partition) => `${String(partition)}:${String(next)}`).join(' ')}`,
    `made by   Geoflock ${version}, ${settingsText(settings)}`,
  ];
}

/** The same as the last words of a line; none for a model that was published without. */
export function lineageInShort(lineage: ModelLineage | null): readonly string[] {
  if (lineage === null) {
    return [];
  }
  const { files, span, version } = lineage;
  return [`files ${grouped(files.done)}`, spanText(span), `version ${version}`];
}

function spanText({ earliest, latest }: RowSpan): string {
  return earliest === null || latest === null ? 'no rows' : `${earliest} to ${latest}`;
}

function settingsText(settings: ModelLineage['settings']): string {
  const { algorithm, features, halfLifeSeconds, k, level, searchFeatures, seed, seedings, windowSeconds } =
    settings;
  return [
    algorithm,
    `k ${typeof k === 'number' ? String(k) : `auto from ${String(k.kMin)} to ${String(k.kMax)}`}`,
    ...(seed === null ? [] : [`seed ${String(seed)}`]),
    ...(seedings === null ? [] : [`${String(seedings)} seedings`]),
    ...(searchFeatures === null ? [] : [`search of ${grouped(searchFeatures)} features`]),
    ...(halfLifeSeconds === null ? [] : [`half-life ${formatDuration(halfLifeSeconds * 1000)}`]),
    ...(windowSeconds === null ? [] : [`window ${formatDuration(windowSeconds * 1000)}`]),
    `regions of level ${String(level)}, ${grouped(features)} features a pane`,
  ].join(', ');
}
