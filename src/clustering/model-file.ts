import { z } from 'zod';
import type { Latitude, Longitude } from '../geo/axes.ts';
import type { NamedModel } from './geojson.ts';

/** A text that is not that of a model; the message says why, in one line. */
export class ModelFileError extends Error {
  override readonly name = 'ModelFileError';
}

const amount = z.number().min(0);
const time = z.string().nullable();

const placeSchema = z.looseObject({
  name: z.string(),
  country: z.string(),
  countryCode: z.string(),
  distanceKm: amount,
  text: z.string(),
});

const clusterSchema = z.looseObject({
  id: z.int().min(0),
  longitude: z.custom<Longitude>((value) => isWithin(value, 180), 'expected degrees in [-180, 180]'),
  latitude: z.custom<Latitude>((value) => isWithin(value, 90), 'expected degrees in [-90, 90]'),
  center: z.tuple([z.number(), z.number(), z.number()]),
  weight: z.number().positive(),
  share: z.number().min(0).max(1),
  radiusKm: amount,
  place: placeSchema.nullable().default(null),
});

const modelSchema = z.looseObject({
  k: z.int().min(1),
  weight: amount,
  cost: amount,
  costBounds: z.looseObject({ lower: amount, upper: amount }),
  time: z
    .looseObject({
      from: time,
      to: time,
      watermark: time,
      rows: z.int().min(0),
      halfLifeSeconds: z.number().positive().nullable(),
    })
    .exactOptional(),
  clusters: z.array(clusterSchema),
});

/**
 * Reads what `serializeModel` has written, bit for bit; also what is not known here is kept.
 * @throws ModelFileError
 */
export function parseModel(text: string): NamedModel {
  let plain: unknown;
  try {
    plain = JSON.parse(text);
  } catch (error) {
    throw new ModelFileError(`it is not JSON: ${(error as SyntaxError).message}`, { cause: error });
  }
  const read = modelSchema.safeParse(plain);
  if (!read.success) {
    const { message, path } = read.error.issues[0] as z.core.$ZodIssue;
    throw new ModelFileError(`it is not a model: ${[...path.map(String), message].join(': ')}`);
  }
  return read.data;
}

function isWithin(value: unknown, most: number): boolean {
  return typeof value === 'number' && Math.abs(value) <= most;
}
