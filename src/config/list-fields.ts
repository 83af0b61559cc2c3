import { latitude, longitude, type Position } from '../geo/axes.ts';
import { asNumber, parsed, within } from './fields.ts';
import type { z } from 'zod';

/** Numbers from 0 on as a list, or as its JSON. */
export function numberList({ max }: { readonly max: number }): z.ZodType<readonly number[]> {
  return parsed<readonly number[]>(
    `a list of numbers from 0 to ${String(max)}, such as [10, 2.5]`,
    (value) => {
      const numbers = asList(value)?.map(asNumber);
      return numbers?.every((number) => within(number, { max })) === true ? numbers : undefined;
    },
  );
}

/** Positions as a list, or as its JSON. */
export function positionList(): z.ZodType<readonly Position[]> {
  return parsed<readonly Position[]>(
    'a list of [longitude, latitude] in degrees, such as [[2.35, 48.86], [139.7, 35.7]]',
    (value) => {
      const positions = asList(value)?.map(asPosition);
      return positions?.every((position) => position !== undefined) === true ? positions : undefined;
    },
  );
}

function asPosition(value: unknown): Position | undefined {
  const pair = asList(value);
  const [east, north] = pair?.map(asNumber) ?? [];
  if (pair?.length !== 2 || east === undefined || north === undefined) {
    return undefined;
  }
  try {
    return { longitude: longitude(east), latitude: latitude(north) };
  } catch {
    return undefined;
  }
}

function asList(value: unknown): readonly unknown[] | undefined {
  let list = value;
  if (typeof value === 'string') {
    try {
      list = JSON.parse(value);
    } catch {
      return undefined;
    }
  }
  return Array.isArray(list) ? (list as readonly unknown[]) : undefined;
}
