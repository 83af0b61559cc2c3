import { z } from 'zod';
import { asNumber, count, duration, fileOrNone, flag, oneOf, parsed, size, text } from './fields.ts';

/** A tag's key and its value: nothing in them that ends a tag, or a line. */
const TAG = /^[A-Za-z][\w./-]*:[\w./:-]+$/;

export const statsdSchema = z.strictObject({
  enabled: flag(),
  host: text('the name or address of a host', /^[A-Za-z0-9._:-]{1,255}$/),
  port: count({ min: 1, max: 65_535 }),
  socket: fileOrNone(),
  flavor: oneOf('dogstatsd', 'plain'),
  prefix: text(
    'a name of letters, digits, dots, hyphens and underscores',
    /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/,
  ),
  sampleRate: sampleRate(),
  tags: tagList(),
  every: duration({ min: 100, max: 3_600_000 }),
  maxBufferBytes: size({ min: 256, max: 65_507 }),
});

type Statsd = z.output<typeof statsdSchema>;
type StatsdSettings = { readonly [K in keyof Statsd]: Statsd[K] };

/** The name and tags of the longest metric, its value, and what stands between. */
const LONGEST_LINE = 160;

/** What must hold between the keys of `statsd`: the key to name and what it should have been. */
export function* statsdChecks(statsd: StatsdSettings): Generator<readonly [string, string]> {
  const { flavor, maxBufferBytes, prefix, tags } = statsd;
  if (flavor === 'plain' && tags.length > 0) {
    yield [
      'statsd.tags',
      'expected none, because statsd.flavor is plain: put what they say into statsd.prefix',
    ];
  }
  const least = LONGEST_LINE + prefix.length + tags.join().length;
  if (maxBufferBytes < least) {
    yield [
      'statsd.maxBufferBytes',
      `expected at least ${String(least)} bytes, so that a line with statsd.prefix and statsd.tags fits`,
    ];
  }
}

function sampleRate(): z.ZodType<number> {
  return parsed('a number above 0, at most 1', (value) => {
    const number = asNumber(value);
    return number !== undefined && number > 0 && number <= 1 ? number : undefined;
  });
}

/** `key:value` pairs as a list or separated by commas, each key once. */
function tagList(): z.ZodType<readonly string[]> {
  return parsed<readonly string[]>(
    'tags as key:value, as a list or separated by commas, such as env:production,site:north',
    (value) => {
      const written: unknown = typeof value === 'string' ? value.split(',').map((one) => one.trim()) : value;
      if (!Array.isArray(written)) {
        return undefined;
      }
      const tags = written.filter((one): one is string => typeof one === 'string' && TAG.test(one));
      const keys = new Set(tags.map((tag) => tag.slice(0, tag.indexOf(':'))));
      return tags.length === written.length && keys.size === tags.length ? tags : undefined;
    },
  );
}
