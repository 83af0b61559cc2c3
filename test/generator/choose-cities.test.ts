import { expect } from 'chai';
import { chooseCities } from '../../src/generator/choose-cities.ts';
import { loadLargeCities } from '../../src/places/places.ts';
import { systemClock } from '../../src/system/clock.ts';

describe('the cities that are chosen', () => {
  const names = async (count: number, apartKm: number): Promise<string[]> =>
    chooseCities(await loadLargeCities(systemClock), count, apartKm).map(({ name }) => name);

  it('are the largest, and all where more are asked for than there are', async () => {
    const { cities } = await loadLargeCities(systemClock);
    expect(await names(3, 0)).to.deep.equal(['Shanghai', 'Istanbul', 'Buenos Aires']);
    expect(await names(1e9, 0)).to.have.length(cities.length);
  });

  it('are the largest of those that are far enough from each other', async () => {
    // Of Beijing, Guangzhou, Delhi, Karachi and Seoul each is nearer than that to a larger one.
    expect(await names(12, 1_500)).to.deep.equal([
      'Shanghai',
      'Istanbul',
      'Buenos Aires',
      'Mumbai',
      'Mexico City',
      'Moscow',
      'Dhaka',
      'São Paulo',
      'Lagos',
      'Jakarta',
      'Tokyo',
      'New York City',
    ]);
    expect(await names(1_000, 19_000)).to.have.length.within(1, 2);
  });
});
