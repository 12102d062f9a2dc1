// How much room the texts of a chart need, and into which rows they are broken.
// Invariant: the drawing writes the rows that were measured here, so what was measured is what is drawn.
import type { Box, Line } from './statechart.ts';

/** Sizes inside a box, in pixels. */
export const BOX = {
  titlePx: 13,
  titleHeight: 19,
  padX: 10,
  padY: 7,
  /** Under the title of a box that has an inside. */
  gap: 6,
  minWidth: 72,
  historySize: 26,
} as const;

/** Sizes of what is written on an arrow, and in a box under its name. */
export const ROW = { px: 11, height: 14, padX: 5, padY: 3 } as const;

/** Room for the clock before a delay's name, and behind it for the time that it has left: `99 min 59 s`. */
const TIME_ROOM = 70;

/** A line that would be wider is broken before its guard: arrows stand beside each other, so width is dear. */
const WIDEST_PX = 120;

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Width of a text in pixels. */
export type TextWidth = (text: string, px: number, weight: 'normal' | 'bold') => number;

/** A row of a line: its event, its guard, both, or where it leads when no arrow is drawn. */
export interface Row {
  readonly line: Line;
  readonly event: string;
  readonly guard: string;
  /** Where the guard begins. */
  readonly guardX: number;
  readonly goal: string;
  readonly goalX: number;
}

export interface Rows extends Size {
  readonly rows: readonly Row[];
}

/** Nobody reads a longer line, and one alone must not make a picture a mile wide. */
const LONGEST = 60;
export const shortened = (text: string): string =>
  text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;

/** Breaks lines into rows. `goal`: where they lead, when that has to be said. */
export function rowsOf(lines: readonly Line[], widthOf: TextWidth, goal?: string): Rows {
  const width = (text: string): number => (text === '' ? 0 : widthOf(text, ROW.px, 'normal'));
  const rows: Row[] = [];
  let widest = 0;
  const add = (line: Line, event: string, guard: string, to: string): void => {
    const guardX = event === '' ? 8 : width(event) + 4;
    const goalX = guard === '' ? width(event) + 5 : guardX + width(guard) + 5;
    rows.push({ line, event, guard, guardX, goal: to, goalX });
    widest = Math.max(widest, to === '' ? goalX - 5 : goalX + widthOf(to, ROW.px, 'bold'));
  };
  const to = goal === undefined ? '' : `→ ${shortened(goal)}`;
  for (const line of lines) {
    const event = shortened(line.event);
    const guard = line.guard === undefined ? '' : shortened(`[${line.guard}]`);
    if (guard !== '' && width(`${event} ${guard}`) > WIDEST_PX) {
      add(line, event, '', '');
      add(line, '', guard, to);
    } else add(line, event, guard, to);
  }
  return { rows, width: Math.ceil(widest) + 2 * ROW.padX, height: rows.length * ROW.height + 2 * ROW.padY };
}

/** A box with its name, its lines and its delays; `below` is written under them. */
export function boxSize(
  { name, kind, delays, lines }: Box,
  below: readonly Size[],
  widthOf: TextWidth,
): Size {
  if (kind === 'history') return { width: BOX.historySize, height: BOX.historySize };
  const widths = [
    widthOf(shortened(name), BOX.titlePx, 'bold') + (kind === 'final' ? 12 : 0),
    ...lines.map((line) => widthOf(shortened(line), ROW.px, 'normal')),
    ...delays.map((delay) => widthOf(shortened(delay.name), ROW.px, 'normal') + TIME_ROOM),
    ...below.map(({ width }) => width - 2 * ROW.padX),
  ];
  const belowHeight = below.reduce((sum, { height }) => sum + height - 2 * ROW.padY, 0);
  return {
    width: Math.ceil(Math.max(BOX.minWidth, Math.max(...widths) + 2 * BOX.padX)),
    height: 2 * BOX.padY + BOX.titleHeight + (lines.length + delays.length) * ROW.height + belowHeight,
  };
}

/** For where nothing can be measured: wide enough for any common sans-serif font. */
export const estimatedWidth: TextWidth = (text, px, weight) => {
  const units = Array.from(text, (sign) =>
    /[A-Zmw@%…→]/.test(sign) ? 0.86 : /[ iljtf.,:;'|[\]()]/.test(sign) ? 0.4 : 0.6,
  );
  return units.reduce((sum, unit) => sum + unit, 0) * px * (weight === 'bold' ? 1.08 : 1);
};
