// The lines of arrows: their corners rounded, their heads where they arrive.
// Invariant: pure geometry; no point lies outside of the way that was laid out.

interface Point {
  readonly x: number;
  readonly y: number;
}

const CORNER = 7;
const HEAD_LENGTH = 8;
const HEAD_WIDTH = 6;

const rounded = (value: number): number => Math.round(value * 10) / 10;
const at = ({ x, y }: Point): string => `${rounded(x)} ${rounded(y)}`;

/** The point so far from `from` on the way to `to`. */
function towards(from: Point, to: Point, distance: number): Point {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const part = length === 0 ? 0 : distance / length;
  return { x: from.x + (to.x - from.x) * part, y: from.y + (to.y - from.y) * part };
}

const distance = (a: Point, b: Point): number => Math.hypot(a.x - b.x, a.y - b.y);

/** An SVG path through the points. */
export function roundedPath(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return '';
  const parts = [`M${at(first)}`];
  rest.forEach((point, i) => {
    const before = points[i] ?? point;
    const next = rest[i + 1];
    if (next === undefined) return parts.push(`L${at(point)}`);
    const reach = Math.min(CORNER, distance(before, point) / 2, distance(point, next) / 2);
    return parts.push(
      `L${at(towards(point, before, reach))}Q${at(point)} ${at(towards(point, next, reach))}`,
    );
  });
  return parts.join('');
}

/** A filled head at the last point, in the direction of the last part. */
export function arrowHead(points: readonly Point[]): string {
  const tip = points.at(-1);
  const before = points.at(-2);
  if (tip === undefined || before === undefined) return '';
  const base = towards(tip, before, HEAD_LENGTH);
  const [dx, dy] = [(tip.x - base.x) / HEAD_LENGTH, (tip.y - base.y) / HEAD_LENGTH];
  const side = HEAD_WIDTH / 2;
  const left = { x: base.x - dy * side, y: base.y + dx * side };
  const right = { x: base.x + dy * side, y: base.y - dx * side };
  return `M${at(tip)}L${at(left)}L${at(right)}Z`;
}
