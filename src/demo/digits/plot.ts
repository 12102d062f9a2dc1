// A curve in plain text.
// Invariant: one column a value; every value is on a line, the outermost lines take those beyond.

export interface PlotOptions {
  readonly height: number;
  /** Value of the lowest line. */
  readonly least: number;
  /** Value of the highest line. */
  readonly most: number;
  label(value: number): string;
  /** Under the columns, by index; a blank where there is none. */
  readonly marks: ReadonlyMap<number, string>;
}

export function plot(values: readonly number[], options: PlotOptions): string[] {
  const { height, least, most, label, marks } = options;
  const valueOf = (line: number): number => most - (line * (most - least)) / (height - 1);
  const lineOf = (value: number): number =>
    Math.min(height - 1, Math.max(0, Math.round(((most - value) * (height - 1)) / (most - least))));
  const labels = Array.from({ length: height }, (_, line) => label(valueOf(line)));
  const width = Math.max(...labels.map(({ length }) => length));
  const margin = ' '.repeat(width);
  const rows = labels.map((text, line) => {
    const points = values.map((value) => (lineOf(value) === line ? '●' : ' ')).join(' ');
    return `${text.padStart(width)} ┤${points}`.trimEnd();
  });
  const under = values
    .map((_, i) => marks.get(i) ?? ' ')
    .join(' ')
    .trimEnd();
  return [...rows, `${margin} └${'─'.repeat(Math.max(0, 2 * values.length - 1))}`, `${margin}  ${under}`];
}
