// Where things stand in the diagram, in pixels.
// Invariant: all rows have one height, so that a row's place is known without looking at the others.

export const ROW = 48;
export const GUTTER = 104;
export const HEAD = 64;
const NARROWEST = 168;
/** Rows beyond the edges, so that a quick scroll finds something. */
const SPARE = 6;

export interface Columns {
  readonly width: number;
  /** Of the whole diagram. */
  readonly total: number;
  /** The middle of a lifeline. */
  x(index: number): number;
}

export function columnsFor(count: number, available: number): Columns {
  const width = Math.max(NARROWEST, Math.floor((available - GUTTER) / Math.max(1, count)));
  return {
    width,
    total: Math.max(available, GUTTER + count * width),
    x: (index) => GUTTER + (index + 0.5) * width,
  };
}

export interface Seen {
  readonly top: number;
  readonly height: number;
}

export function rowsIn(
  { top, height }: Seen,
  rows: number,
): { readonly first: number; readonly last: number } {
  const first = Math.max(0, Math.min(Math.floor(top / ROW), rows - 1) - SPARE);
  return { first, last: Math.min(rows, Math.ceil((top + height) / ROW) + SPARE) };
}

/** A text that fits into so many pixels; 12 px mono characters are about 7.3 px wide. */
export function fitted(text: string, pixels: number): string {
  const most = Math.max(3, Math.floor(pixels / 7.3));
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

/** The same, but its end is kept: of a state's path the last name says most. */
export function fittedEnd(text: string, pixels: number): string {
  const most = Math.max(3, Math.floor(pixels / 7.3));
  return text.length <= most ? text : `…${text.slice(1 - most)}`;
}
