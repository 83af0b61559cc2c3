/** Relative error of a few dozen rounded operations on doubles. */
const ROUNDING = 2 ** -47;
/** How many quadratic functions are tried: every one gives a true bound, and the best of more a tighter one. */
export interface Effort {
  /** Vectors b. */
  readonly tilts: number;
  /** Values of c for each. */
  readonly curvatures: number;
}

/** The best of more is hardly better. */
export const THOROUGH: Effort = { tilts: 16, curvatures: 12 };
/** A sixth of the time: the bounds of a live model are wider by less than a hundredth of their width. */
export const QUICK: Effort = { tilts: 4, curvatures: 8 };

const LEAD_DOUBLES = 5;

/**
 * Leads, in memory that is used again and again: there are some for each cell on a border.
 *
 * A lead is a linear function `slope y - below` of a point y of space whose mean is the origin, so that its own mean
 * is `-below` (below >= 0), and its bound: it is at most `most` (above 0) wherever the point can be.
 */
export class Leads {
  count = 0;
  /** Of each lead one after another: slope x, y, z, `below`, `most`. Another array when `next` was called. */
  doubles = new Float64Array(8 * LEAD_DOUBLES);

  clear(): void {
    this.count = 0;
  }

  /** Where in `doubles` the next one is to be written. */
  next(): number {
    const at = LEAD_DOUBLES * this.count++;
    if (at === this.doubles.length) {
      const larger = new Float64Array(2 * at);
      larger.set(this.doubles);
      this.doubles = larger;
    }
    return at;
  }
}

/**
 * The greatest mean that `max(0, t)` can have when t has the mean `-below` (below >= 0), no more variance
 * than `variance`, and is never above `most`.
 *
 * With b = most, d = below, v = variance and h = sqrt(v + d^2), it is `b v / ((b + d)^2 + v)` for
 * 0 < b <= h; above, as if b were h, which is `(h - d) / 2` (Scarf: A min-max solution of an inventory
 * problem, 1958). A quadratic function that is nowhere below proves it, as in Bowers: An upper bound on the
 * stop-loss net premium, Transactions of the Society of Actuaries 21, 1969.
 *
 * Proof: let a = d + v / (b + d), and q(t) = b ((t + a) / (b + a))^2, which is never negative and b at b.
 * From b <= h follows b <= a, so at b the convex q is no steeper than t and hence nowhere on the left of b
 * below t. So `max(0, t) <= q(t)` for t <= b, and the mean of q, which grows with the variance, is at most
 * `b (v + (a - d)^2) / (b + a)^2`, which is the value above. Two values of t, b and -a, attain it. For
 * most > h take b = h: then q has the slope 1 at b, and lies above t on the right of it, too.
 */
export function greatestExcess(below: number, variance: number, most: number): number {
  const reach = Math.min(most, Math.sqrt(variance + below * below));
  if (!(reach > 0)) {
    return 0;
  }
  const apart = reach + below;
  return (reach * variance) / (apart * apart + variance);
}

/**
 * An upper bound of the mean of the greatest of 0 and several leads over a point whose mean squared distance
 * to the origin is at most `variance`. It is less than the sum of each one's own greatest mean: a point
 * can be on one side only, and they share the variance.
 *
 * A quadratic function `q(y) = a + b y + c |y|^2`, c > 0, that is nowhere below any of them, proves that the
 * mean is at most `a + c variance`. For given b and c the least such a is found in closed form
 * (`Majorant.raise`), so every b and c give a true bound. The search for the best only decides how tight it
 * is. The least value is convex in b and in c: c is found by bisection, and b by subgradient steps of
 * decreasing length. With one lead the best q is that of `greatestExcess`.
 */
export function greatestExcessOfAny(leads: Leads, variance: number, effort = THOROUGH): number {
  if (!(variance > 0)) {
    return 0;
  }
  // No more curved than this, in the direction of the steepest: see Scarf's bound.
  const mostCurved = MAJORANT.begin(leads, variance) / Math.sqrt(variance);
  let [outside, inside, touch] = TOUCHES;
  let least = Infinity;
  for (let tilts = 1; tilts <= effort.tilts; tilts++) {
    let low = mostCurved * 2 ** -20;
    let high = mostCurved;
    outside.fill(0);
    inside.fill(0);
    for (let step = 0; step < effort.curvatures; step++) {
      const middle = Math.sqrt(low * high);
      MAJORANT.raise(middle, touch);
      least = Math.min(least, touch[4] as number);
      const next = touch;
      if ((touch[3] as number) > variance) {
        touch = outside;
        outside = next;
        low = middle;
      } else {
        touch = inside;
        inside = next;
        high = middle;
      }
    }
    MAJORANT.lean(outside, inside, high / (tilts + 1));
  }
  return least;
}

/**
 * Of the place where a quadratic function touches one of the leads, or 0: x, y, z, squared distance to the origin;
 * and the greatest mean that the function can have.
 */
const TOUCH_DOUBLES = 5;

/** Doubles travel in typed arrays: as fields and arguments the engine would box them. */
class Majorant {
  #leads = new Leads();
  #variance = 0;
  /** The vector b. */
  readonly #tilt = new Float64Array(3);

  /** Takes b = half of the mean slope; returns the length of the steepest. */
  begin(leads: Leads, variance: number): number {
    this.#leads = leads;
    this.#variance = variance;
    const share = 0.5 / leads.count;
    const { doubles } = leads;
    const tilt = this.#tilt;
    tilt.fill(0);
    let steepest = 0;
    for (let at = 0; at < LEAD_DOUBLES * leads.count; at += LEAD_DOUBLES) {
      const x = doubles[at] as number;
      const y = doubles[at + 1] as number;
      const z = doubles[at + 2] as number;
      tilt[0] = (tilt[0] as number) + share * x;
      tilt[1] = (tilt[1] as number) + share * y;
      tilt[2] = (tilt[2] as number) + share * z;
      steepest = Math.max(steepest, Math.hypot(x, y, z));
    }
    return steepest;
  }

  /**
   * Sets c, and a to the least that is enough, and `touch`.
   * - q >= 0 asks for `|b|^2 / 4c`, with equality at y = -b / 2c;
   * - q >= slope y - below, with s = slope - b, asks for `|s|^2 / 4c - below`, with equality at y = s / 2c. If
   *   that is beyond the plane where the lead is `most`, it is enough up to the plane, and the point of it
   *   that is nearest asks for c times the squared distance less.
   */
  raise(curvature: number, touch: Float64Array): void {
    const quarter = 0.25 / curvature;
    const { count, doubles: leads } = this.#leads;
    const bx = this.#tilt[0] as number;
    const by = this.#tilt[1] as number;
    const bz = this.#tilt[2] as number;
    const tilt = bx * bx + by * by + bz * bz;
    let raised = tilt * quarter * (1 + ROUNDING);
    const half = 2 * quarter;
    let px = -bx * half;
    let py = -by * half;
    let pz = -bz * half;
    for (let at = 0; at < LEAD_DOUBLES * count; at += LEAD_DOUBLES) {
      const x = leads[at] as number;
      const y = leads[at + 1] as number;
      const z = leads[at + 2] as number;
      const below = leads[at + 3] as number;
      const most = leads[at + 4] as number;
      const steepness = x * x + y * y + z * z;
      const sx = x - bx;
      const sy = y - by;
      const sz = z - bz;
      const square = sx * sx + sy * sy + sz * sz;
      const along = half * (x * sx + y * sy + z * sz);
      const beyond = Math.max(0, along - most - below);
      // What is rounded in s and in `along` weighs no more than this.
      const wrong = ROUNDING * ((square + steepness) * quarter + below);
      const asked = square * quarter - below - (curvature * beyond * beyond) / steepness + wrong;
      if (asked > raised) {
        raised = asked;
        const back = beyond / steepness;
        px = sx * half - back * x;
        py = sy * half - back * y;
        pz = sz * half - back * z;
      }
    }
    touch[0] = px;
    touch[1] = py;
    touch[2] = pz;
    touch[3] = px * px + py * py + pz * pz;
    touch[4] = raised + curvature * this.#variance * (1 + ROUNDING);
  }

  /**
   * Moves b against the slope of the least mean: towards where q touches, on average between a point
   * outside and one inside, so that the average has the variance.
   */
  lean(outside: Float64Array, inside: Float64Array, step: number): void {
    const near = inside[3] as number;
    const between = Math.max((outside[3] as number) - near, Number.MIN_VALUE);
    const share = Math.min(1, (this.#variance - near) / between);
    for (let axis = 0; axis < 3; axis++) {
      const from = inside[axis] as number;
      const to = from + share * ((outside[axis] as number) - from);
      this.#tilt[axis] = (this.#tilt[axis] as number) + 2 * step * to;
    }
  }
}

const MAJORANT = new Majorant();
const TOUCHES = [
  new Float64Array(TOUCH_DOUBLES),
  new Float64Array(TOUCH_DOUBLES),
  new Float64Array(TOUCH_DOUBLES),
] as const;
