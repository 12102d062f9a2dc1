// Which boxes and arrows a step of an actor lights.
// Invariant: what cannot be told from the step (two guards that lead the same way) is lit as a whole, never guessed.
import { boxId, type Arrow, type Line, type Statechart } from './statechart.ts';

type StateValue = string | { readonly [state: string]: StateValue | undefined };

/** All boxes that are active in a state value, the root and those around included. */
export function activeIn(value: StateValue | null | undefined): Set<string> {
  const active = new Set<string>();
  if (value === null || value === undefined) return active;
  const visit = (inner: StateValue, path: readonly string[]): void => {
    active.add(boxId(path));
    if (typeof inner === 'string') {
      active.add(boxId([...path, inner]));
      return;
    }
    for (const [key, below] of Object.entries(inner)) if (below !== undefined) visit(below, [...path, key]);
  };
  visit(value, []);
  return active;
}

/** The same of a state as people read it: `connected.health.waiting, connected.liveness.listening`. */
export function activeOnPath({ boxes }: Statechart, path: string): Set<string> {
  const active = new Set<string>(['']);
  for (const leaf of path.split(', ')) {
    const keys = leaf.split('.');
    for (let depth = 1; depth <= keys.length; depth += 1) {
      const id = boxId(keys.slice(0, depth));
      if (boxes.has(id)) active.add(id);
    }
  }
  return active;
}

/** The innermost of the active boxes. */
export function leavesOf({ boxes }: Statechart, active: ReadonlySet<string>): string[] {
  return [...active].filter((id) => !(boxes.get(id)?.children ?? []).some((child) => active.has(child)));
}

/** One event and where it led. */
export interface Way {
  readonly event: string;
  readonly before: ReadonlySet<string>;
  readonly after: ReadonlySet<string>;
  /** Names of the effects that it had, where they are known: they tell ways apart. */
  readonly effects?: readonly string[] | undefined;
}

export interface Lit {
  /** By their ids. */
  readonly arrows: ReadonlySet<string>;
  readonly lines: ReadonlySet<string>;
}

/** The arrows that an event went along, and the lines on them or in boxes that may have been meant. */
export function litBy(chart: Statechart, way: Way): Lit {
  const direct = taken(chart, way);
  const found = direct.length > 0 ? direct : detour(chart, way);
  return {
    arrows: new Set(found.flatMap(([arrow]) => (arrow === undefined ? [] : [arrow.id]))),
    lines: new Set(found.map(([, { id }]) => id)),
  };
}

type Candidate = readonly [Arrow | undefined, Line];

function taken(chart: Statechart, { event, before, after, effects }: Way): readonly Candidate[] {
  const leading = arrowsFor(chart, event, before).filter(([{ to }]) => reaches(chart, to, after));
  const staying: Candidate[] = [...chart.within]
    .filter(([box]) => before.has(box))
    .flatMap(([, lines]) => lines.filter((line) => matches(line, event)))
    .map((line): Candidate => [undefined, line]);
  const isMove = [...after].some((id) => !before.has(id));
  const entering = leading.filter(([arrow]) => !before.has(arrow.to));
  const possible = entering.length > 0 ? entering : isMove ? leading : [...leading, ...staying];
  return told(innermost(possible), effects);
}

/** An event that led on at once, through states that it did not stay in: their `always` is part of the way. */
function detour(chart: Statechart, { event, before, after }: Way): readonly Candidate[] {
  for (const first of arrowsFor(chart, event, before)) {
    const passed: [Arrow, Line][] = [first];
    const seen = new Set([first[0].to]);
    for (const [{ to }] of passed) {
      if (reaches(chart, to, after) && !before.has(to)) return passed;
      const at = new Set([...seen, ...entered(chart, to)]);
      const on = arrowsFor(chart, '', at).find(([arrow]) => !seen.has(arrow.to));
      if (on === undefined) break;
      seen.add(on[0].to);
      passed.push(on);
    }
  }
  return [];
}

/** The boxes that entering one enters. */
function entered({ boxes }: Statechart, id: string): string[] {
  const inside: string[] = [];
  for (let at: string | undefined = id; at !== undefined && !inside.includes(at); at = boxes.get(at)?.initial)
    inside.push(at);
  return inside;
}

const arrowsFor = (chart: Statechart, event: string, from: ReadonlySet<string>): [Arrow, Line][] =>
  chart.arrows
    .filter((arrow) => from.has(arrow.from))
    .flatMap((arrow) =>
      arrow.lines.filter((line) => matches(line, event)).map((line): [Arrow, Line] => [arrow, line]),
    );

function matches({ eventType }: Line, event: string): boolean {
  if (eventType === event) return true;
  if (event === '' || event.startsWith('xstate.')) return false;
  return eventType === '*' || (eventType.endsWith('.*') && `${event}.`.startsWith(eventType.slice(0, -1)));
}

/** Whether a target is active afterwards; a history state stands for what is around it. */
function reaches({ boxes }: Statechart, to: string, after: ReadonlySet<string>): boolean {
  const box = boxes.get(to);
  return after.has(box?.kind === 'history' ? (box.parent ?? '') : to);
}

/** Effects are actions: a way whose actions name more of them explains the step better. */
function told(possible: readonly Candidate[], effects: Way['effects']): readonly Candidate[] {
  if (effects === undefined || possible.length < 2) return possible;
  const names = new Set(effects);
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
