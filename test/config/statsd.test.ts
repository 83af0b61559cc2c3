import { expect } from 'chai';
import { configurationTable } from '../../src/config/describe.ts';
import { ConfigurationError } from '../../src/config/errors.ts';
import { type LoadedConfiguration, loadConfiguration } from '../../src/config/load.ts';
import { METRIC_NAMES, specOf } from '../../src/metrics/catalogue.ts';

function load(settings: Readonly<Record<string, string>>): LoadedConfiguration {
  return loadConfiguration({
    environment: {},
    flags: Object.entries(settings).map(([key, value]) => ({ flag: 'test', key: `statsd.${key}`, value })),
  });
}

function problems(settings: Readonly<Record<string, string>>): readonly string[] {
  try {
    load(settings);
  } catch (error) {
    if (error instanceof ConfigurationError) {
      return error.problems;
    }
    throw error;
  }
  return [];
}

describe('settings of StatsD', () => {
  it('are off, and those that DogStatsD knows', () => {
    expect(load({}).configuration.statsd).to.deep.equal({
      enabled: false,
      host: '127.0.0.1',
      port: 8125,
      socket: null,
      flavor: 'dogstatsd',
      prefix: 'geoflock',
      sampleRate: 1,
      tags: [],
      every: 10_000,
      maxBufferBytes: 1432,
    });
  });

  it('are read from the environment, and shown', () => {
    const loaded = loadConfiguration({
      environment: { GEOFLOCK_STATSD_TAGS: 'env:production, site:north', GEOFLOCK_STATSD_SAMPLE_RATE: '0.1' },
    });
    expect(loaded.configuration.statsd).to.deep.include({
      tags: ['env:production', 'site:north'],
      sampleRate: 0.1,
    });
    expect(configurationTable(loaded.entries)).to.match(/statsd\.flavor +dogstatsd/);
  });

  const refused = [
    { key: 'sampleRate', values: ['0', '1.1', 'some'], told: 'expected a number above 0, at most 1' },
    { key: 'tags', values: ['production', 'a:b,a:c', 'a:b|c', 'a:'], told: 'expected tags as key:value' },
    { key: 'prefix', values: ['', 'a b', '.a', 'a:b'], told: 'expected a name of letters' },
    { key: 'host', values: ['', 'a b'], told: 'expected the name or address of a host' },
    { key: 'every', values: ['0s', '2h'], told: 'expected a duration from 100ms to 1h' },
    { key: 'maxBufferBytes', values: ['100', '64KiB'], told: 'expected a size from 256' },
  ];
  for (const { key, told, values } of refused) {
    it(`refuse a ${key} that is none`, () => {
      for (const value of values) {
        const [problem = ''] = problems({ [key]: value });
        expect(problem, value).to.include(`statsd.${key}`).and.to.include(told);
      }
    });
  }

  it('refuse tags in the plain flavor, and say where else they can be', () => {
    const [problem] = problems({ flavor: 'plain', tags: 'env:production' });
    expect(problem)
      .to.match(/^statsd\.tags: /)
      .and.to.include('expected none, because statsd.flavor is plain: put what they say into statsd.prefix');
  });

  it('want datagrams that the longest line fits', () => {
    const tags = 'env:' + 'x'.repeat(300);
    const [problem] = problems({ tags, maxBufferBytes: '400' });
    expect(problem).to.match(/^statsd\.maxBufferBytes: .*expected at least 472 bytes/);
    expect(problems({ tags, maxBufferBytes: '472' })).to.deep.equal([]);
    // What a line has beside prefix and tags of its own: the values of tags, and the value.
    const values: Readonly<Record<string, string>> = {
      partition: '1023',
      connection: 'partition-1023-regions',
    };
    const lengths = METRIC_NAMES.map((name) =>
      specOf(name)
        .tags.map((tag) => `,${tag}:${values[tag] ?? 'longitude-out-of-range'}`)
        .reduce((length, tag) => length + tag.length, name.length),
    );
    const rest = '.:-1.2345678901234567e+100|ms|@0.123456789|#'.length;
    expect(Math.max(...lengths) + rest).to.be.below(160);
  });
});
