// Where one looks at a picture from: how far it is moved, and how large it is.
// Invariant: pure; zooming keeps the point under the pointer where it is.
import type { Rectangle } from './elk-graph.ts';
import type { Size } from './text-size.ts';

/** A point p of the picture is shown at `x + k·p`. */
export interface Sight {
  readonly x: number;
  readonly y: number;
  readonly k: number;
}

const SMALLEST = 0.08;
const LARGEST = 4;
const MARGIN = 16;
/** Texts of 11 px are hard to read when they are shown smaller than this. */
const READABLE = 0.72;

const within = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

export function zoomed({ x, y, k }: Sight, factor: number, px: number, py: number): Sight {
  const next = within(k * factor, SMALLEST, LARGEST);
  const by = next / k;
  return { x: px - (px - x) * by, y: py - (py - y) * by, k: next };
}

/** All of it, in the middle; small pictures are not blown up. */
export function fitting(picture: Size, room: Size): Sight {
  const k = within(
    Math.min((room.width - 2 * MARGIN) / picture.width, (room.height - 2 * MARGIN) / picture.height),
    SMALLEST,
    1.2,
  );
  return { x: (room.width - picture.width * k) / 2, y: (room.height - picture.height * k) / 2, k };
}

/** All of it when that can be read; else a readable part with `focus` in it. */
export function firstSight(picture: Size, room: Size, focus: Rectangle | undefined): Sight {
  const all = fitting(picture, room);
  if (all.k >= READABLE || focus === undefined) return all;
  return centered({ ...all, k: READABLE }, focus, room, picture);
}

/** The same size, moved so that `focus` is in the middle; no further than where the picture ends. */
export function centered(sight: Sight, focus: Rectangle, room: Size, picture: Size): Sight {
  const { k } = sight;
  const place = (start: number, size: number, space: number, whole: number): number => {
    const middle = space / 2 - (start + size / 2) * k;
    if (whole * k + 2 * MARGIN <= space) return (space - whole * k) / 2;
    return within(middle, space - whole * k - MARGIN, MARGIN);
  };
  return {
    k,
    x: place(focus.x, focus.width, room.width, picture.width),
    y: place(focus.y, focus.height, room.height, picture.height),
  };
}

/** Whether all of it is in sight. */
export function isInSight(
  { x, y, k }: Sight,
  { x: left, y: top, width, height }: Rectangle,
  room: Size,
): boolean {
  const [shownX, shownY] = [x + left * k, y + top * k];
  return shownX >= 0 && shownY >= 0 && shownX + width * k <= room.width && shownY + height * k <= room.height;
}
