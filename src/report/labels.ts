import type { Steps } from '../clustering/slices.ts';

/** Which dots of a map get their names, and where those stand. */

export interface LabelledDot {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly text: string;
}

export interface Label {
  readonly x: number;
  /** Baseline. */
  readonly y: number;
  readonly anchor: 'start' | 'end' | 'middle';
  readonly text: string;
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Of the font that is drawn; a little more than it takes. */
const CHARACTER = 6.4;
const ASCENT = 10;
const DESCENT = 3;
const GAP = 3;
const DOTS_PER_STEP = 16;

/**
 * Labels beside their dots, the first dot first: right, left, above or below it, wherever neither another label
 * nor another dot nor the border is in the way. A dot without room gets none.
 */
export function* placeLabels(
  dots: readonly LabelledDot[],
  width: number,
  height: number,
): Steps<readonly Label[]> {
  const taken: Box[] = [];
  const boxes = dots.map(({ radius, x, y }) => ({
    left: x - radius,
    right: x + radius,
    top: y - radius,
    bottom: y + radius,
  }));
  const labels: Label[] = [];
  for (const [index, dot] of dots.entries()) {
    const fits = placesOf(dot).find(({ box }) => {
      const inside = box.left >= 0 && box.right <= width && box.top >= 0 && box.bottom <= height;
      const isFree = (one: Box, other: number): boolean => other === index || !overlap(one, box);
      return inside && boxes.every(isFree) && !taken.some((one) => overlap(one, box));
    });
    if (fits !== undefined) {
      taken.push(fits.box);
      labels.push(fits.label);
    }
    if (index % DOTS_PER_STEP === DOTS_PER_STEP - 1) {
      yield;
    }
  }
  return labels;
}

function placesOf({ radius, text, x, y }: LabelledDot): readonly { label: Label; box: Box }[] {
  const away = radius + GAP;
  const middle = y + (ASCENT - DESCENT) / 2;
  const wide = text.length * CHARACTER;
  return [
    { x: x + away, y: middle, anchor: 'start' as const },
    { x: x - away, y: middle, anchor: 'end' as const },
    { x, y: y - away - DESCENT, anchor: 'middle' as const },
    { x, y: y + away + ASCENT, anchor: 'middle' as const },
  ].map((place) => {
    const left = place.x - { start: 0, middle: wide / 2, end: wide }[place.anchor];
    const box = { left, right: left + wide, top: place.y - ASCENT, bottom: place.y + DESCENT };
    return { label: { ...place, text }, box };
  });
}

function overlap(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
