import { expect } from 'chai';
import { chooseCities } from '../../src/generator/choose-cities.ts';
import { cityRows } from '../../src/generator/city-rows.ts';
import { Crowd } from '../../src/generator/crowd.ts';
import { FASTEST_METRES_PER_SECOND } from '../../src/generator/device-path.ts';
import { randomSource } from '../../src/generator/random.ts';
import { MAX_ROW_BYTES, type TimeSpread } from '../../src/generator/rows.ts';
import { activityAt, solarHour } from '../../src/generator/sun.ts';
import type { City } from '../../src/places/city.ts';
import { columnsOf, nearestCity } from '../../src/places/nearest-city.ts';
import { loadLargeCities } from '../../src/places/places.ts';
import { systemClock } from '../../src/system/clock.ts';
import { latitude, longitude } from '../../src/geo/axes.ts';
import { haversineKm } from '../places/haversine.ts';

const START = Date.UTC(2026, 0, 1);
const HOUR_MS = 3_600_000;
/** No device of a city is farther from its center: its spot, its home there, and the way it goes. */
const REACH_KM = 50;

interface Row {
  readonly time: number;
  readonly device: string;
  readonly longitude: number;
  readonly latitude: number;
}

function textOf(crowd: Crowd, noise: number, times: TimeSpread, file = 0, slices = [times.rows]): string {
  const write = cityRows(crowd, noise, randomSource('1', file), times);
  let first = 0;
  let text = '';
  for (const count of slices) {
    const bytes = Buffer.alloc(count * MAX_ROW_BYTES);
    text += bytes.toString('latin1', 0, write(bytes, first, count));
    first += count;
  }
  return text;
}

function rowsOf(...args: Parameters<typeof textOf>): Row[] {
  return textOf(...args)
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [time = '', device = '', , , , east, north] = line.split(',');
      return {
        time: Date.parse(`${time.replace(' ', 'T')}Z`),
        device,
        longitude: Number(east),
        latitude: Number(north),
      };
    });
}

/** A city alone, at this longitude. */
const cityAt = (east: number, population = 1_000_000, north = 0): City => ({
  name: String(east),
  countryCode: 'AA',
  population,
  capital: false,
  longitude: east,
  latitude: north,
});

describe('rows of cities', () => {
  it('have the form of all rows', () => {
    const times = { startMs: START, spanMs: 10_000, rows: 2_000 };
    const lines = textOf(new Crowd('1', [cityAt(10)], 100), 0.1, times).split('\n');
    expect(lines).to.have.length(2_001);
    for (const line of lines.slice(0, -1)) {
      expect(line).to.match(
        /^2026-01-01 00:00:0\d\.\d{3},[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}(,-?\d+\.\d+(e-\d+)?){5},[01]$/,
      );
    }
  });

  it('are in the cities, and each has as many as its population says', async () => {
    const cities = chooseCities(await loadLargeCities(systemClock), 40, 300);
    const index = columnsOf(cities);
    // A whole day, so that sun and hot spots even out.
    const times = { startMs: START, spanMs: 24 * HOUR_MS, rows: 60_000 };
    const counts = new Map<City, number>();
    for (const row of rowsOf(new Crowd('1', cities, 10_000), 0, times)) {
      const position = { longitude: longitude(row.longitude), latitude: latitude(row.latitude) };
      const found = nearestCity(index, position);
      expect(found?.distanceKm).to.be.below(REACH_KM);
      counts.set(found?.city as City, (counts.get(found?.city as City) ?? 0) + 1);
    }
    const people = cities.reduce((sum, { population }) => sum + population, 0);
    for (const city of cities) {
      const ratio = (counts.get(city) ?? 0) / ((60_000 * city.population) / people);
      expect(ratio, city.name).to.be.within(0.6, 1.6);
    }
  });

  it('follow the sun: few at 4 h of local solar time, many by day and in the evening', () => {
    const cities = [-150, -90, -30, 30, 90, 150].map((east) => cityAt(east));
    const rows = rowsOf(new Crowd('1', cities, 6_000), 0, {
      startMs: START,
      spanMs: 48 * HOUR_MS,
      rows: 96_000,
    });
    const byHour = new Array<number>(24).fill(0);
    for (const row of rows) {
      const hour = Math.round(solarHour(row.time, row.longitude)) % 24;
      byHour[hour] = (byHour[hour] ?? 0) + 1;
    }
    const mean =
      Array.from({ length: 24 }, (_, hour) => activityAt(hour)).reduce((sum, one) => sum + one) / 24;
    byHour.forEach((count, hour) => {
      // 4,000 an hour; what is on somewhere adds or takes some.
      expect(count / (4_000 * (activityAt(hour) / mean)), `at ${String(hour)} h`).to.be.within(0.75, 1.3);
    });
    expect(byHour[4]).to.be.below(0.3 * (byHour[20] ?? 0));
  });

  it('have devices that go on, from row to row and file to file, at the speed of a walk or a drive', () => {
    // One near the antimeridian, one far north.
    const crowd = new Crowd('1', [cityAt(179.99), cityAt(20, 500_000, 69.6)], 60);
    const last = new Map<string, Row>();
    let moves = 0;
    let moved = 0;
    let goneOn = 0;
    for (let file = 0; file < 30; file++) {
      const seen = new Set(last.keys());
      const times = { startMs: START + file * 60_000, spanMs: 60_000, rows: 600 };
      for (const row of rowsOf(crowd, 0, times, file)) {
        const before = last.get(row.device);
        if (before !== undefined) {
          const metres = 1_000 * haversineKm(before, row);
          const seconds = (row.time - before.time) / 1_000;
          // Coordinates are told to a centimetre; kilometres east are those of the city's own parallel.
          expect(metres).to.be.below(1.01 * FASTEST_METRES_PER_SECOND * seconds + 0.05);
          moves++;
          moved += metres > 0.05 ? 1 : 0;
          goneOn += seen.delete(row.device) ? 1 : 0;
        }
        last.set(row.device, row);
      }
    }
    expect(last.size).to.be.within(30, 70);
    expect(moves).to.be.above(17_000);
    expect(moved).to.be.above(moves / 5);
    // Nearly every device comes again in nearly every file.
    expect(goneOn).to.be.above(20 * last.size);
  });

  it('lie on both sides of the antimeridian where a city does, at longitudes that a reader takes', () => {
    for (const east of [179.99, -179.99]) {
      const times = { startMs: START, spanMs: 60_000, rows: 500 };
      const longitudes = rowsOf(new Crowd('1', [cityAt(east)], 200), 0, times).map((row) => row.longitude);
      expect(longitudes.every((degrees) => Math.abs(degrees) > 179 && Math.abs(degrees) <= 180)).to.equal(
        true,
      );
      expect(longitudes.some((degrees) => degrees > 0)).to.equal(true);
      expect(longitudes.some((degrees) => degrees < 0)).to.equal(true);
    }
  });

  it('have a share of noise from anywhere on the sphere, each of a device of its own', () => {
    const rows = rowsOf(new Crowd('1', [cityAt(0, 5_000_000, 45)], 100), 0.2, {
      startMs: START,
      spanMs: 10_000,
      rows: 20_000,
    });
    const home = cityAt(0, 1, 45);
    const noise = rows.filter((row) => haversineKm(row, home) > REACH_KM);
    // 4,000, standard deviation 57.
    expect(noise.length).to.be.within(3_770, 4_230);
    // Half of the sphere is within 30 degrees of the equator, a quarter east of 90 degrees.
    const share = (of: (row: Row) => boolean): number => noise.filter(of).length / noise.length;
    expect(share((row) => Math.abs(row.latitude) < 30)).to.be.within(0.46, 0.54);
    expect(share((row) => row.latitude > 60)).to.be.within(0.045, 0.09);
    expect(share((row) => row.longitude > 90)).to.be.within(0.215, 0.285);
    expect(new Set(noise.map(({ device }) => device)).size).to.equal(noise.length);
    const others = new Set(rows.filter((row) => !noise.includes(row)).map(({ device }) => device));
    expect(others.size).to.be.within(60, 120);
  });

  it('do not depend on how the work is sliced, but on the seed', () => {
    const times = { startMs: START, spanMs: 60_000, rows: 500 };
    const cities = [cityAt(10), cityAt(-70)];
    const whole = textOf(new Crowd('1', cities, 1_000), 0.1, times);
    expect(textOf(new Crowd('1', cities, 1_000), 0.1, times, 0, [1, 99, 300, 100])).to.equal(whole);
    expect(textOf(new Crowd('2', cities, 1_000), 0.1, times)).not.to.equal(whole);
  });

  it('give every device an id of its own', () => {
    const crowd = new Crowd('1', [cityAt(0)], 1);
    const ids = Array.from({ length: 50_000 }, (_, device) =>
      [0, 1, 2, 3].map((word) => crowd.word(device, word)).join(),
    );
    expect(new Set(ids).size).to.equal(ids.length);
  });
});
