// What a sequence diagram shows of the steps there are: whose lifelines, which steps, and what is found in them.
// Invariant: pure; whatever a step holds is compared as text, and as nothing else.
import type { StateValue } from '../../src/protocol/inspection.ts';
import { pathOf } from './actors.ts';
import type { Placed } from './causal-order.ts';
import type { ActorKey } from './model.ts';

export interface SequenceFilter {
  /** Whose steps are shown. */
  readonly actors: ReadonlySet<ActorKey>;
  /** Part of the event's type; upper and lower case are the same. @default all */
  readonly event?: string | undefined;
  /** Steps from this moment on, in milliseconds of the stream's clock. @default all */
  readonly from?: number | undefined;
}

/** Steps that decide who is busy. */
const LOOKED_AT = 4_000;

/** The steps to show, in their order. */
export function shownSteps(
  steps: readonly Placed[],
  { actors, event, from }: SequenceFilter,
): readonly Placed[] {
  const type = event?.toLowerCase() ?? '';
  return steps.filter(
    ({ actor, step }) =>
      actors.has(actor) &&
      (from === undefined || step.at >= from) &&
      (type === '' || step.event.type.toLowerCase().includes(type)),
  );
}

/**
 * Whose lifelines say most: of those who talk to others the busiest, then the others. Who is in `kept` already stays before
 * others of its kind, and in its place, so that lifelines do not jump about.
 */
export function busiest(
  steps: readonly Placed[],
  most: number,
  kept: readonly ActorKey[],
): readonly ActorKey[] {
  const counts = new Map<ActorKey, number>(kept.map((actor) => [actor, 0]));
  const talks = new Set<ActorKey>();
  for (const { actor, cause } of steps.slice(-LOOKED_AT)) {
    counts.set(actor, (counts.get(actor) ?? 0) + 1);
    if (cause === undefined || cause.actor === actor) continue;
    talks.add(actor).add(cause.actor);
    counts.set(cause.actor, (counts.get(cause.actor) ?? 0) + 1);
  }
  const isKept = new Set(kept);
  const rank = (actor: ActorKey): number => (talks.has(actor) ? 2 : 0) + (isKept.has(actor) ? 1 : 0);
  const chosen = new Set(
    [...counts]
      .toSorted(([a, x], [b, y]) => rank(b) - rank(a) || y - x)
      .slice(0, most)
      .map(([actor]) => actor),
  );
  // Maps keep the order in which keys came: the kept ones, and then that of the first appearance.
  return [...counts.keys()].filter((actor) => chosen.has(actor));
}

/** A state by what is new in it: of several regions those that changed, each by its last two names. */
export function stateInWords(from: StateValue | null, to: StateValue | null): string {
  const regions = pathOf(to).split(', ');
  if (regions.length === 1) return pathOf(to);
  const before = new Set(from === null ? [] : pathOf(from).split(', '));
  const changed = regions.filter((region) => !before.has(region));
  return (changed.length === 0 ? regions : changed)
    .map((region) => region.split('.').slice(-2).join('.'))
    .join(', ');
}

/** Whether `text` is in the step's event, its states, its actor or what is said of it. */
export function isFound(placed: Placed, text: string): boolean {
  return text !== '' && textOf(placed).includes(text.toLowerCase());
}

const texts = new WeakMap<Placed, string>();

function textOf(placed: Placed): string {
  let text = texts.get(placed);
  if (text === undefined) {
    const { event, from, to, words = '', error = '', actor, process } = placed.step;
    const states = `${from === null ? '' : pathOf(from)} ${pathOf(to)}`;
    text = `${actor} ${process} ${JSON.stringify(event)} ${states} ${words} ${error}`.toLowerCase();
    texts.set(placed, text);
  }
  return text;
}
