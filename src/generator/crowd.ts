import type { City } from '../places/city.ts';
import { type Offset, pathOf } from './device-path.ts';
import { heatOf } from './hot-spots.ts';
import { cosineOfDegrees, fraction, hash, mix } from './random.ts';
import { activityAt, solarHour } from './sun.ts';

const KM_PER_DEGREE = 111.195;
/** Places of a city where its devices live; of each city's rows the n-th has a share in proportion to 1/n. */
const SPOTS = 6;
/** A city of a million inhabitants, km from its center to where most of it ends; others by the root. */
const RADIUS_OF_A_MILLION_KM = 3;
const SMALLEST_RADIUS_KM = 2;
const LARGEST_RADIUS_KM = 12;
/** Of the city's radius: how far around their spot devices live. */
const HOME = 1 / 3;
/** Words of chance that belong to one device. */
const WORDS_PER_DEVICE = 8;

interface Spot {
  readonly longitude: number;
  readonly latitude: number;
  readonly degreesPerKmEast: number;
  readonly radiusKm: number;
  readonly weight: number;
  readonly firstDevice: number;
  readonly devices: number;
}

/** A position that is used again, degrees. */
export interface MutablePosition {
  longitude: number;
  latitude: number;
}

/**
 * The devices of some cities. How many a city has, and how many of the rows, goes by its population; who
 * reports when also by the sun and by what is on. Everything is a pure function of the seed, the device and
 * the time, so nothing is kept of a device, and it is the same one in every file.
 */
export class Crowd {
  readonly #seed: number;
  readonly #spots: readonly Spot[];
  /** Running sums of the spots' weights at `#weighedAt`. */
  readonly #cumulative: Float64Array;
  #weighedAt = Number.NaN;
  readonly #offset: Offset = { east: 0, north: 0 };

  /** @param devices about how many there are; every spot of a city has at least one */
  constructor(seed: string, cities: readonly City[], devices: number) {
    this.#seed = hash(seed, 0x811c9dc5);
    this.#spots = spotsOf(this.#seed, cities, devices);
    this.#cumulative = new Float64Array(this.#spots.length);
  }

  /** From now on devices report as they do at this time. It looks at every spot. */
  weigh(timeMs: number): void {
    if (timeMs === this.#weighedAt) {
      return;
    }
    this.#weighedAt = timeMs;
    let sum = 0;
    for (let index = 0; index < this.#spots.length; index++) {
      const { longitude, weight } = this.#spots[index] as Spot;
      sum += weight * activityAt(solarHour(timeMs, longitude)) * heatOf(this.#seed, index, timeMs);
      this.#cumulative[index] = sum;
    }
  }

  /**
   * The device that reports, and from which spot, by two numbers of chance in [0, 1). The crowd must have been
   * weighed.
   */
  pick(spotChance: number, deviceChance: number): { readonly device: number; readonly spot: number } {
    const sums = this.#cumulative;
    const wanted = spotChance * (sums[sums.length - 1] as number);
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] as number) > wanted) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    const { devices, firstDevice } = this.#spots[low] as Spot;
    return { spot: low, device: firstDevice + Math.floor(deviceChance * devices) };
  }

  /** 32 bits that belong to a device, as its id. @param index below 4 */
  word(device: number, index: number): number {
    return mix(this.#seed ^ mix(Math.imul(device, WORDS_PER_DEVICE) + index));
  }

  locate(spotIndex: number, device: number, timeMs: number, to: MutablePosition): void {
    const { degreesPerKmEast, latitude, longitude, radiusKm } = this.#spots[spotIndex] as Spot;
    const offset = this.#offset;
    pathOf(this.word(device, 4), timeMs, offset);
    const east = offset.east + HOME * radiusKm * bell(this.word(device, 5));
    const north = offset.north + HOME * radiusKm * bell(this.word(device, 6));
    to.longitude = wrapped(longitude + east * degreesPerKmEast);
    to.latitude = latitude + north / KM_PER_DEGREE;
  }
}

function spotsOf(seed: number, cities: readonly City[], devices: number): readonly Spot[] {
  const people = cities.reduce((sum, { population }) => sum + population, 0);
  const shares = Array.from({ length: SPOTS }, (_, rank) => 1 / (rank + 1));
  const whole = shares.reduce((sum, share) => sum + share, 0);
  let firstDevice = 0;
  return cities.flatMap((city, cityIndex) =>
    shares.map((share, rank): Spot => {
      const radiusKm = radiusOf(city);
      const degreesPerKmEast = 1 / (KM_PER_DEGREE * cosineOfDegrees(city.latitude));
      const own = mix(seed ^ Math.imul(cityIndex * SPOTS + rank + 1, 0x9e3779b1));
      // The first is the city's center.
      const away = rank === 0 ? 0 : radiusKm;
      const weight = (city.population * share) / (people * whole);
      const spot = {
        longitude: wrapped(city.longitude + away * bell(mix(own ^ 0x7feb352d)) * degreesPerKmEast),
        latitude: city.latitude + (away * bell(mix(own ^ 0x846ca68b))) / KM_PER_DEGREE,
        degreesPerKmEast,
        radiusKm,
        weight,
        firstDevice,
        devices: Math.max(1, Math.round(devices * weight)),
      };
      firstDevice += spot.devices;
      return spot;
    }),
  );
}

function radiusOf({ population }: City): number {
  const km = RADIUS_OF_A_MILLION_KM * Math.sqrt(population / 1e6);
  return Math.min(LARGEST_RADIUS_KM, Math.max(SMALLEST_RADIUS_KM, km));
}

/** Mean 0, most of it within 1, never beyond 2: the sum of four uniforms (Irwin and Hall), each of 16 bits and more. */
function bell(word: number): number {
  const next = mix(word ^ 0x31415926);
  return fraction(word) + fraction(word << 16) + fraction(next) + fraction(next << 16) - 2;
}

function wrapped(longitude: number): number {
  return longitude > 180 ? longitude - 360 : longitude < -180 ? longitude + 360 : longitude;
}
