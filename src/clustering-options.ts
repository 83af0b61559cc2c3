import type { Configuration } from './config/schema.ts';
import type { DriftOptions, ModelSettings } from './clustering/drift-at.ts';
import type { ModelOptions } from './clustering/model.ts';
import type { TimeOptions } from './clustering/model-time.ts';
import { finestPaneMs, type PaneGrid, paneGrid } from './clustering/panes.ts';

const HOUR_MS = 3_600_000;
/** What a pane is in one piece: its rows are of one age then, give or take an eighth of the half-life. */
const PANES_PER_HALF_LIFE = 4;
/** Older rows count so little that they may be of one age. */
const HALF_LIVES_TOLD_APART = 8;

/** The panes that the configuration asks for. */
export function paneGridOf({ clustering, regions }: Pick<Configuration, 'clustering' | 'regions'>): PaneGrid {
  const { halfLife, window } = clustering;
  const auto = Math.min(
    HOUR_MS,
    ...[halfLife ?? Infinity, window ?? Infinity].map((ms) => ms / PANES_PER_HALF_LIFE),
  );
  const history = Math.max(regions.history, window ?? 0, HALF_LIVES_TOLD_APART * (halfLife ?? 0));
  return paneGrid(regions.pane === 'auto' ? auto : regions.pane, history);
}

/** Which rows the configuration wants a model to be of. */
export function timeOptionsOf({ halfLife, window }: Configuration['clustering']): TimeOptions {
  return { halfLifeMs: halfLife ?? undefined, windowMs: window ?? undefined };
}

/** The short model is of so many panes. */
const PANES_OF_THE_SHORT_MODEL = 3;

/** How the configuration wants drift to be looked at; undefined: not at all, for it cannot where time is not kept. */
function driftOptionsOf(
  configuration: Pick<Configuration, 'clustering' | 'regions'>,
): DriftOptions | undefined {
  const { algorithm, drift } = configuration.clustering;
  const { enabled, window } = drift;
  const paneMs = finestPaneMs(paneGridOf(configuration));
  const panes = window === 'auto' ? PANES_OF_THE_SHORT_MODEL : Math.ceil(window / paneMs);
  return enabled && algorithm === 'summary' ? { paneMs, windowMs: panes * paneMs } : undefined;
}

/**
 * How the configuration wants models to be made.
 * @param asked of which rows instead, as far as that is given.
 */
export function modelSettingsOf(
  configuration: Pick<Configuration, 'clustering' | 'regions'>,
  asked: TimeOptions = {},
): ModelSettings {
  const { clustering } = configuration;
  return {
    model: modelOptionsOf(clustering),
    time: { ...timeOptionsOf(clustering), ...asked },
    drift: driftOptionsOf(configuration),
  };
}

/** How the configuration wants the centers to be searched. */
export function modelOptionsOf(clustering: Configuration['clustering']): ModelOptions {
  const { features, k, kMax, kMin, seed, seeds } = clustering;
  return { k: k === 'auto' ? { kMin, kMax } : k, seed, seedings: seeds, searchFeatures: features };
}
