import { readFileSync } from 'node:fs';
import type { GeoPermissibleObjects } from 'd3-geo';
import { feature, mesh } from 'topojson-client';

type World = Parameters<typeof mesh>[0];
type Shape = Parameters<typeof feature>[1];

/** What a world map shows behind the data. */
export interface Outlines {
  readonly land: GeoPermissibleObjects;
  /** Between countries, without coasts. */
  readonly borders: GeoPermissibleObjects;
}

let outlines: Outlines | undefined;

/** Land and borders at 1:110 million (Natural Earth, public domain, as the package world-atlas has them). */
export function worldOutlines(): Outlines {
  outlines ??= readOutlines();
  return outlines;
}

function readOutlines(): Outlines {
  const file = new URL(import.meta.resolve('world-atlas/countries-110m.json'));
  const world = JSON.parse(readFileSync(file, 'utf8')) as World;
  const { countries, land } = world.objects as { readonly countries: Shape; readonly land: Shape };
  const borders = mesh(world, countries as Parameters<typeof mesh>[1], (a, b) => a !== b);
  return { land: feature(world, land), borders };
}
