import { EARTH_RADIUS_KM, latitudeOf, longitudeOf, type UnitVector } from './sphere.ts';

/** Longitude and latitude, degrees. */
export type MapPoint = readonly [longitude: number, latitude: number];

/** A ring of a polygon as RFC 7946 has it: counterclockwise, the first point again at the end. */
export type Ring = readonly MapPoint[];

/** Points of a circle, before those where the map needs more. */
const POINTS = 72;
/** Two points one after another are not farther apart in longitude, but within the last bits of a pole. */
const MOST_DEGREES = 5;
const MOST_HALVINGS = 24;
/** So near to a pole, in radians, a circle is moved away from it: 6 m. */
const POLE_GAP = 1e-6;

/**
 * The area within `radiusKm` of a place as outlines on a map of longitude and latitude, by RFC 7946: cut at
 * the antimeridian, and going along it to a pole where the area holds one. Each ring is a polygon by itself; they
 * do not overlap. None where the radius is 0; the whole map where it is half of the earth's circumference or more.
 */
export function circleOnMap(center: UnitVector, radiusKm: number): readonly Ring[] {
  const angle = radiusKm / EARTH_RADIUS_KM;
  if (!(angle > 0)) {
    return [];
  }
  const toNorth = Math.atan2(Math.hypot(center[0], center[1]), center[2]);
  const radius = awayFrom(awayFrom(angle, toNorth), Math.PI - toNorth);
  if (radius >= Math.PI) {
    return [[...edge(-90, 1), ...edge(90, -1), [-180, -90]]];
  }
  const outline = outlineOf(center, radius);
  const turn = Math.round(((outline.at(-1) as MapPoint)[0] - (outline[0] as MapPoint)[0]) / 360);
  if (turn !== 0) {
    return [cap(outline, turn)];
  }
  // Both poles, or none.
  return toNorth < radius ? aroundHole(outline) : pieces(outline);
}

function awayFrom(radius: number, pole: number): number {
  return Math.abs(radius - pole) < POLE_GAP ? pole - POLE_GAP : radius;
}

/** Bottom or top edge of the map, eastward or westward. */
function edge(latitude: number, direction: 1 | -1): readonly [MapPoint, MapPoint] {
  return [
    [-180 * direction, latitude],
    [180 * direction, latitude],
  ];
}

/**
 * The points of a circle, counterclockwise seen from above its center, the first again at the end. Longitudes
 * go on beyond 180 degrees: those of two points one after another differ by less than 180.
 */
function outlineOf(center: UnitVector, radius: number): readonly MapPoint[] {
  const [u, v] = tangents(center);
  const at = (turn: number): MapPoint => {
    const along = Math.sin(radius) * Math.cos(turn);
    const across = Math.sin(radius) * Math.sin(turn);
    const [x, y, z] = center.map(
      (c, axis) => Math.cos(radius) * c + along * (u[axis] as number) + across * (v[axis] as number),
    ) as [number, number, number];
    return [longitudeOf(x, y), latitudeOf(x, y, z)];
  };
  const points: MapPoint[] = [at(0)];
  const goTo = (from: number, to: number, halvings: number): void => {
    const [before] = points.at(-1) as MapPoint;
    const [east, north] = at(to);
    const step = east - before - 360 * Math.round((east - before) / 360);
    if (Math.abs(step) > MOST_DEGREES && halvings > 0) {
      const middle = (from + to) / 2;
      goTo(from, middle, halvings - 1);
      goTo(middle, to, halvings - 1);
    } else {
      points.push([before + step, north]);
    }
  };
  for (let n = 0; n < POINTS; n++) {
    goTo((2 * Math.PI * n) / POINTS, (2 * Math.PI * (n + 1)) / POINTS, MOST_HALVINGS);
  }
  // Where it began, but for rounding.
  const [[firstEast, firstNorth], [lastEast]] = [points[0], points.at(-1)] as [MapPoint, MapPoint];
  points[points.length - 1] = [firstEast + 360 * Math.round((lastEast - firstEast) / 360), firstNorth];
  return points;
}

/** Two vectors that make a right-handed system of unit vectors with a third. */
function tangents([x, y, z]: UnitVector): readonly [UnitVector, UnitVector] {
  // Duff et al.: Building an orthonormal basis, revisited, JCGT 6 (2017).
  const sign = z < 0 ? -1 : 1;
  const a = -1 / (sign + z);
  const b = x * y * a;
  return [
    [1 + sign * x * x * a, sign * b, -sign * x],
    [b, sign + y * y * a, -y],
  ];
}

/** An outline that holds no pole, cut at the antimeridian: a meridian meets it in two points at most. */
function pieces(outline: readonly MapPoint[]): readonly Ring[] {
  const easts = outline.map(([east]) => east);
  const rings: Ring[] = [];
  const [least, most] = [Math.min(...easts), Math.max(...easts)];
  for (let turns = Math.floor((least + 180) / 360); 360 * turns - 180 < most; turns++) {
    const moved = outline.map(([east, north]): MapPoint => [east - 360 * turns, north]);
    rings.push(clip(clip(moved, -180, 1), 180, -1));
  }
  return rings;
}

/** What of a ring is on one side of a meridian: east of it (1) or west of it (-1). */
function clip(ring: Ring, meridian: number, side: 1 | -1): Ring {
  const kept: MapPoint[] = [];
  const inside = ([east]: MapPoint): boolean => side * (east - meridian) >= 0;
  for (let n = 0; n + 1 < ring.length; n++) {
    const [from, to] = [ring[n], ring[n + 1]] as [MapPoint, MapPoint];
    if (inside(from)) {
      kept.push(from);
    }
    if (inside(from) !== inside(to)) {
      kept.push([meridian, crossing(from, to, meridian)]);
    }
  }
  return closed(kept);
}

/** Latitude at which a line of the map meets a meridian that it crosses. */
function crossing([aEast, aNorth]: MapPoint, [bEast, bNorth]: MapPoint, meridian: number): number {
  return aNorth + ((meridian - aEast) / (bEast - aEast)) * (bNorth - aNorth);
}

function closed(points: readonly MapPoint[]): Ring {
  const kept = points.filter(([east, north], n) => {
    const before = points.at(n - 1) as MapPoint;
    return east !== before[0] || north !== before[1];
  });
  return [...kept, kept[0] as MapPoint];
}

/** All between a line once around the earth, eastward (1) or westward (-1), and the pole at its left. */
function cap(line: readonly MapPoint[], direction: number): Ring {
  const start = -180 * direction;
  const isBefore = ([east]: MapPoint, meridian: number): boolean => direction * (east - meridian) < 0;
  // The line twice, so that it goes once from edge to edge of some map in one piece.
  const around = 360 * direction;
  const twice = [...line.slice(0, -1), ...line.map(([east, north]): MapPoint => [east + around, north])];
  const from = start + around * Math.ceil((direction * ((line[0] as MapPoint)[0] - start)) / 360);
  const points: MapPoint[] = [];
  for (let n = 0; n + 1 < twice.length; n++) {
    const [a, b] = [twice[n], twice[n + 1]] as [MapPoint, MapPoint];
    if (!isBefore(a, from) && isBefore(a, from + around)) {
      points.push([a[0] - from + start, a[1]]);
    }
    for (const meridian of [from, from + around]) {
      if (isBefore(a, meridian) && !isBefore(b, meridian)) {
        points.push([meridian - from + start, crossing(a, b, meridian)]);
      }
    }
  }
  // On the very edge a point may stand twice.
  const pole = 90 * direction;
  return closed([...points, [-start, pole], [start, pole]]);
}

/**
 * All but the inside of an outline that holds neither pole, which is run through clockwise on the map: north of
 * it and south of it, met beside it by a line around the earth.
 */
function aroundHole(outline: readonly MapPoint[]): readonly Ring[] {
  const points = outline.slice(0, -1);
  const west = points.reduce((best, point, n) => (point[0] < (points[best] as MapPoint)[0] ? n : best), 0);
  const turned = [...points.slice(west), ...points.slice(0, west + 1)];
  const east = turned.reduce((best, point, n) => (point[0] > (turned[best] as MapPoint)[0] ? n : best), 0);
  // Clockwise: from the west the north side first.
  const north = turned.slice(0, east + 1);
  const south = turned.slice(east);
  const [home, homeNorth] = north[0] as MapPoint;
  const [away, awayNorth] = south[0] as MapPoint;
  return [cap([...north, [home + 360, homeNorth]], 1), cap([...south, [away - 360, awayNorth]], -1)];
}
