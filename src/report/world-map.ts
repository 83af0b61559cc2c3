import { geoCircle, geoEqualEarth, geoGraticule, geoPath, type GeoPermissibleObjects } from 'd3-geo';
import type { NamedCluster } from '../clustering/geojson.ts';
import type { Cluster } from '../clustering/model.ts';
import { cellVertices, regionAddress } from '../geo/s2.ts';
import type { Steps } from '../clustering/slices.ts';
import { EARTH_RADIUS_KM, latitudeOf, longitudeOf } from '../geo/sphere.ts';
import { placeLabels } from './labels.ts';
import { worldOutlines } from './outlines.ts';
import type { RegionRows } from './report-data.ts';
import { escapeText, grouped, kmText, percent } from './text.ts';

/** Size of the drawing in its own units; it scales to any width. */
const WIDTH = 960;
const HEIGHT = 480;
/** A dot at a pole stays whole. */
const MARGIN = 14;
const DOTS = { least: 3, most: 12 };
/** Fainter regions could not be told from none, darker ones would hide the land. */
const SHADES = { least: 0.05, most: 0.85, contrast: 1.6 };
const DEGREES = 180 / Math.PI;
/** About a millisecond. */
const SHAPES_PER_STEP = 16;
/** Of the way from a region's corner to its center. */
const DRAWN_IN = 1e-5;

/**
 * The world in the Equal Earth projection (Savric, Patterson, Jenny: The Equal Earth map projection, 2018), in
 * which equal areas look equal: regions shaded by their rows, clusters as dots by their share inside of circles of
 * their radius. Shapes are cut on the sphere before they are projected, so those across the antimeridian or around
 * a pole are as right as all others.
 * @returns an `svg` element.
 */
export function* worldMap(
  level: number,
  regions: readonly RegionRows[],
  clusters: readonly NamedCluster[],
): Steps<string> {
  const extent: [[number, number], [number, number]] = [
    [MARGIN, MARGIN],
    [WIDTH - MARGIN, HEIGHT - MARGIN],
  ];
  const projection = geoEqualEarth().fitExtent(extent, { type: 'Sphere' });
  const path = geoPath(projection).digits(1);
  const draw = (kind: string, what: GeoPermissibleObjects, rest = ''): string =>
    `<path class="${kind}" d="${path(what) ?? ''}"${rest}/>`;
  const { borders, land } = worldOutlines();
  yield;
  const parts = [
    `<svg class="map" viewBox="0 0 ${String(WIDTH)} ${String(HEIGHT)}" role="img" aria-labelledby="map-title">`,
    `<title id="map-title">World map of ${String(regions.length)} regions and ${String(clusters.length)} clusters</title>`,
    draw('sea', { type: 'Sphere' }),
    draw('grid', geoGraticule().step([30, 30])()),
    draw('land', land),
  ];
  yield;
  const most = mostRows(regions);
  for (const [index, { region, rows }] of regions.entries()) {
    const shade = ` fill-opacity="${opacityOf(rows, most).toFixed(3)}"`;
    parts.push(draw('region', cellOf(region, level), shade));
    if (index % SHAPES_PER_STEP === SHAPES_PER_STEP - 1) {
      yield;
    }
  }
  parts.push(draw('border', borders));
  yield;
  for (const [index, cluster] of clusters.entries()) {
    parts.push(draw('radius', circleOf(cluster)));
    if (index % SHAPES_PER_STEP === SHAPES_PER_STEP - 1) {
      yield;
    }
  }
  const dots = clusters.map((cluster) => {
    const [x, y] = projection([cluster.longitude, cluster.latitude]) as [number, number];
    const radius = DOTS.least + (DOTS.most - DOTS.least) * Math.sqrt(cluster.share);
    return { x, y, radius, text: labelOf(cluster) };
  });
  for (const [index, { radius, text, x, y }] of dots.entries()) {
    const { radiusKm, share, weight } = clusters[index] as NamedCluster;
    const told = `${text}: ${grouped(weight)} rows, ${percent(share)}, radius ${kmText(radiusKm)} km`;
    const at = `cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${radius.toFixed(1)}"`;
    parts.push(`<circle class="dot" ${at}><title>${escapeText(told)}</title></circle>`);
  }
  parts.push(draw('edge', { type: 'Sphere' }));
  for (const { anchor, text, x, y } of yield* placeLabels(dots, WIDTH, HEIGHT)) {
    const at = `x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"`;
    parts.push(`<text class="label" ${at}>${escapeText(text)}</text>`);
  }
  parts.push('</svg>');
  return parts.join('\n');
}

/** How the shades of the regions are to be read. @returns an `svg` element, or nothing where there are none. */
export function shadeLegend(regions: readonly RegionRows[]): string {
  const most = mostRows(regions);
  if (most === 0) {
    return '';
  }
  const steps = [...new Set([1, 10 ** Math.round(Math.log10(most) / 2), most])].sort((a, b) => a - b);
  const items = steps.map(
    (rows) =>
      `<span><svg class="swatch" viewBox="0 0 16 12" aria-hidden="true"><rect class="region" width="16" height="12" ` +
      `fill-opacity="${opacityOf(rows, most).toFixed(3)}"/></svg>${grouped(rows)}</span>`,
  );
  return `<p class="legend"><span>rows in a region:</span>${items.join('')}</p>`;
}

/** Without a spread: there may be more regions than a call may have arguments. */
function mostRows(regions: readonly RegionRows[]): number {
  return regions.reduce((most, { rows }) => Math.max(most, rows), 0);
}

/** By the logarithm: a few regions have most of the rows. */
function opacityOf(rows: number, most: number): number {
  const share = (Math.log1p(rows) / Math.log1p(most)) ** SHADES.contrast;
  return SHADES.least + (SHADES.most - SHADES.least) * share;
}

function labelOf({ id, place }: NamedCluster): string {
  return place === null ? `cluster ${String(id)}` : `${String(id)} ${place.name}`;
}

/**
 * A region, clockwise: the sphere's polygons lie to the right of their rings in d3, to the left in S2. Its corners
 * are drawn in by a hair's breadth, because what has a corner on a pole, or an edge on the antimeridian, is cut
 * there at places that rounding decides, and may come out as the whole world.
 */
function cellOf(region: number, level: number): GeoPermissibleObjects {
  const corners = cellVertices(regionAddress(region, level));
  const center = [0, 1, 2].map(
    (axis) => corners.reduce((sum, corner) => sum + (corner[axis] as number), 0) / 4,
  );
  const ring = corners.map((corner) => {
    const [x, y, z] = corner.map((value, axis) => value + DRAWN_IN * ((center[axis] as number) - value)) as [
      number,
      number,
      number,
    ];
    return [longitudeOf(x, y), latitudeOf(x, y, z)];
  });
  ring.reverse();
  return { type: 'Polygon', coordinates: [[...ring, ring[0] as number[]]] };
}

function circleOf({ latitude, longitude, radiusKm }: Cluster): GeoPermissibleObjects {
  const radius = Math.min(179, (radiusKm / EARTH_RADIUS_KM) * DEGREES);
  return geoCircle().center([longitude, latitude]).radius(radius).precision(3)();
}
