// Which boxes and arrows a step of an actor lights.
// Invariant: what cannot be told from the step (two guards that lead the same way) is lit as a whole, never guessed.
import type { StateValue } from 'xstate';
import { boxId, type Arrow, type Line, type Statechart } from './statechart.ts';

/** All boxes that are active in a state value, the root and those around included. */
export function activeBoxes(value: StateValue | null | undefined): Set<string> {
  const active = new Set<string>();
  if (value === null || value === undefined) return active;
  const visit = (inner: StateValue, path: readonly string[]): void => {
    active.add(boxId(path));
    if (typeof inner === 'string') {
      active.add(boxId([...path, inner]));
      return;
    }
    for (const [key, below] of Object.entries(inner))
      if (below !== undefined) visit(below, [...path, key]);
  };
  visit(value, []);
  return active;
}

/** What a step says of the way that it took. */
export interface Way {
  readonly event: { readonly type: string };
  readonly from: StateValue | null;
  readonly to: StateValue | null;
  /** State values between the two. */
  readonly via?: readonly StateValue[] | undefined;
  readonly effects?: readonly { readonly name: string }[] | undefined;
}

export interface Lit {
  readonly arrows: readonly Arrow[];
  readonly lines: readonly Line[];
}

const DARK: Lit = { arrows: [], lines: [] };

/** The arrows that a step went along, and the lines on them or in boxes that may have been meant. */
export function litBy(chart: Statechart, { event, from, to, via = [], effects }: Way): Lit {
  if (from === null || to === null) return DARK;
  const stations = [from, ...via, to].map(activeBoxes);
  const arrows = new Set<Arrow>();
  const lines = new Set<Line>();
  stations.slice(1).forEach((after, i) => {
    const before = stations[i] ?? after;
    // A microstep that is not the first takes what needs no event, or an event that the machine raised itself.
    const found =
      i === 0 ? taken(chart, event.type, before, after, effects) : taken(chart, '', before, after, effects);
    for (const [arrow, line] of found) {
      if (arrow !== undefined) arrows.add(arrow);
      lines.add(line);
    }
  });
  return { arrows: [...arrows], lines: [...lines] };
}

type Candidate = readonly [Arrow | undefined, Line];

function taken(
  chart: Statechart,
  eventType: string,
  before: ReadonlySet<string>,
  after: ReadonlySet<string>,
  effects: Way['effects'],
): readonly Candidate[] {
  const leading: Candidate[] = chart.arrows
    .filter(({ from, to }) => before.has(from) && reaches(chart, to, after))
    .flatMap((arrow) =>
      arrow.lines.filter((line) => matches(line, eventType)).map((line): Candidate => [arrow, line]),
    );
  const staying: Candidate[] = [...chart.within]
    .filter(([box]) => before.has(box))
    .flatMap(([, lines]) => lines.filter((line) => matches(line, eventType)))
    .map((line): Candidate => [undefined, line]);
  const isMove = [...after].some((id) => !before.has(id));
  const entering = leading.filter(([arrow]) => arrow !== undefined && !before.has(arrow.to));
  const possible = entering.length > 0 ? entering : isMove ? leading : [...leading, ...staying];
  return innermost(told(possible, effects));
}

const matches = ({ eventType }: Line, type: string): boolean =>
  eventType === type || (type !== '' && eventType === '*') || isPartOf(eventType, type);

const isPartOf = (pattern: string, type: string): boolean =>
  pattern.endsWith('.*') && `${type}.`.startsWith(pattern.slice(0, -1));

/** A target that is active afterwards; a history state stands for what is around it. */
function reaches({ boxes }: Statechart, to: string, after: ReadonlySet<string>): boolean {
  const box = boxes.get(to);
  return after.has(box?.kind === 'history' ? (box.parent ?? '') : to);
}

/** Effects are actions: a way whose actions name more of them explains the step better. */
function told(possible: readonly Candidate[], effects: Way['effects']): readonly Candidate[] {
  if (effects === undefined || possible.length < 2) return possible;
  const names = new Set(effects.map(({ name }) => name));
  const fit = ([, { actions }]: Candidate): number => actions.filter((name) => names.has(name)).length;
  const best = Math.max(...possible.map(fit));
  return possible.filter((candidate) => fit(candidate) === best);
}

/** Inner states are asked first; regions beside each other each take their own. */
function innermost(possible: readonly Candidate[]): readonly Candidate[] {
  const sources = possible.map(([, { id }]) => id.slice(0, id.lastIndexOf('#')));
  return possible.filter((_, i) => {
    const own = sources[i] ?? '';
    return !sources.some((other) => other !== own && (own === '' || other.startsWith(`${own}/`)));
  });
}
