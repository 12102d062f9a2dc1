// What a sequence diagram shows of the steps there are: whose lifelines, which steps, and what is found in them.
// Invariant: pure; whatever a step holds is compared as text, and as nothing else.
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
/** A message between two actors says more in such a diagram than a step that nobody led to. */
const MESSAGE_WEIGHT = 4;

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

/** `kept`, and then the busiest others until there are `most`, in the order in which they first appear. */
export function busiest(
  steps: readonly Placed[],
  most: number,
  kept: readonly ActorKey[],
): readonly ActorKey[] {
  const weights = new Map<ActorKey, number>();
  const add = (actor: ActorKey, weight: number): void =>
    void weights.set(actor, (weights.get(actor) ?? 0) + weight);
  for (const { actor, cause } of steps.slice(-LOOKED_AT)) {
    add(actor, 1);
    if (cause === undefined || cause.actor === actor) continue;
    add(actor, MESSAGE_WEIGHT);
    add(cause.actor, MESSAGE_WEIGHT);
  }
  for (const actor of kept) weights.delete(actor);
  const room = Math.max(0, most - kept.length);
  const chosen = new Set(
    [...weights]
      .toSorted(([, a], [, b]) => b - a)
      .slice(0, room)
      .map(([actor]) => actor),
  );
  // Maps keep the order in which keys came: that of the first appearance.
  return [...kept, ...[...weights.keys()].filter((actor) => chosen.has(actor))];
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
