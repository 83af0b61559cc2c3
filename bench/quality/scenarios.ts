import { type Chance, chanceOf, cosineOfDegrees, cumulated } from './chance.ts';
import { citiesAbove, KM_PER_DEGREE, type Place, placesOfMetropolis, placesOfTheEdges } from './places.ts';

/** Draws the row at `progress` (0 to 1) of the stream; longitude and latitude in degrees, not yet wrapped. */
type Draw = (progress: number) => readonly [east: number, north: number];

export interface Scenario {
  readonly name: string;
  readonly k: number;
  readonly what: string;
  /** A new stream of a seed. */
  readonly draw: (chance: Chance) => Draw;
}

interface Spot {
  readonly east: number;
  readonly north: number;
  /** Degrees of a kilometre. */
  readonly perKmEast: number;
  readonly spreadKm: number;
}

/** Below it a degree of longitude is as short as it gets: a pole has all of them. */
const LEAST_COSINE = 0.01;

function spotOf({ latitude, longitude }: Place, spreadKm: number): Spot {
  const perKmEast = 1 / (KM_PER_DEGREE * Math.max(LEAST_COSINE, cosineOfDegrees(latitude)));
  return { east: longitude, north: latitude, perKmEast, spreadKm };
}

/** A row around a spot: normal with the spot's spread in both directions. */
function around({ east, north, perKmEast, spreadKm }: Spot, { normal, unit }: Chance): [number, number] {
  const up = (normal() * spreadKm) / KM_PER_DEGREE;
  if (Math.abs(north) === 90) {
    const side = (normal() * spreadKm) / KM_PER_DEGREE;
    return [360 * unit() - 180, north - Math.sign(north) * Math.sqrt(up * up + side * side)];
  }
  return [east + normal() * spreadKm * perKmEast, north + up];
}

/** Some kilometres, more for the great. */
const citySpreadKm = ({ population }: Place): number => 2 + 3 * Math.sqrt(population / 1e6);

function byPopulation(places: readonly Place[], spreadKm: (place: Place) => number) {
  return (chance: Chance): Draw => {
    const spots = places.map((place) => spotOf(place, spreadKm(place)));
    const cumulative = cumulated(places.map(({ population }) => population));
    return () => around(spots[chance.pick(cumulative)] as Spot, chance);
  };
}

/** Weights of Zipf's law: the n-th place is 1/n as large as the first. */
const zipf = (count: number): Float64Array =>
  cumulated(Array.from({ length: count }, (_, rank) => 1 / (rank + 1)));

/** So many different places, of the greater ones more likely. */
function some(places: readonly Place[], count: number, chance: Chance): readonly Place[] {
  const cumulative = cumulated(places.map(({ population }) => population));
  const chosen = new Set<Place>();
  while (chosen.size < count) {
    chosen.add(places[chance.pick(cumulative)] as Place);
  }
  return [...chosen];
}

/** Rows at exactly the same coordinates, again and again. */
function identical(distinct: number) {
  return (chance: Chance): Draw => {
    const places = some(citiesAbove(50_000), distinct, chance);
    const cumulative = zipf(distinct);
    return () => {
      const { latitude, longitude } = places[chance.pick(cumulative)] as Place;
      return [longitude, latitude];
    };
  };
}

const WIDE_SHARE = 0.15;
const WIDE_KM = 20;
const SUBURB_KM = 1;

function metropolis(chance: Chance): Draw {
  const places = placesOfMetropolis();
  const narrow = places.map((place) => spotOf(place, SUBURB_KM));
  const wide = places.map((place) => spotOf(place, WIDE_KM));
  const cumulative = cumulated(places.map(({ population }) => population));
  return () => {
    const spots = chance.unit() < WIDE_SHARE ? wide : narrow;
    return around(spots[chance.pick(cumulative)] as Spot, chance);
  };
}

const HOT_SPOTS = 16;
const HOT_SPOT_KM = 10;
/** How far a hot spot moves over the stream, in degrees of latitude. */
const WAY = 1.5;

/** Hot spots that move; after each third of the stream half of them jump elsewhere. */
function drift(chance: Chance): Draw {
  const europe = citiesAbove(300_000).filter(
    ({ latitude, longitude }) => longitude > -10 && longitude < 40 && latitude > 35 && latitude < 62,
  );
  const places = some(europe, 2 * HOT_SPOTS, chance);
  const spots = places.map((place) => spotOf(place, HOT_SPOT_KM));
  const ways = places.map(() => [WAY * (2 * chance.unit() - 1), WAY * (2 * chance.unit() - 1)] as const);
  const cumulative = zipf(HOT_SPOTS);
  return (progress) => {
    const third = Math.floor(3 * progress);
    const hot = chance.pick(cumulative);
    // Of the first third nobody has jumped; in the second the odd ones have, in the last all.
    const jumped = third >= 2 || (third === 1 && hot % 2 === 1);
    const at = jumped ? hot + HOT_SPOTS : hot;
    const [east, north] = around(spots[at] as Spot, chance);
    const [alongEast, alongNorth] = ways[at] as readonly [number, number];
    return [east + alongEast * progress, north + alongNorth * progress];
  };
}

const world = byPopulation(citiesAbove(50_000), citySpreadKm);

export const SCENARIOS: readonly Scenario[] = [
  { name: 'world-5', k: 5, what: 'cities of 50,000 and more, by population, 2 to 17 km spread', draw: world },
  { name: 'world-50', k: 50, what: 'the same, k = 50', draw: world },
  {
    name: 'city-20',
    k: 20,
    what: '640 places of one metropolis, 1 km spread, 15 % of the rows 20 km wide',
    draw: metropolis,
  },
  { name: 'duplicates', k: 20, what: '300 distinct coordinates', draw: identical(300) },
  { name: 'few-places', k: 20, what: '12 distinct coordinates, fewer than k', draw: identical(12) },
  {
    name: 'edges',
    k: 10,
    what: 'both sides of the antimeridian, the Arctic, the Antarctic, both poles',
    draw: byPopulation(placesOfTheEdges(), () => 8),
  },
  { name: 'drift', k: 16, what: '16 hot spots that move; half of them jump, then the others', draw: drift },
];

/** Chance of a stream: the same places are drawn from otherwise for each k. */
export const chanceOfStream = ({ name }: Scenario, seed: number): Chance => chanceOf(name, seed);
