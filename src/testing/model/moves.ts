// What may happen next in a state of the model.
// Invariant: time passes to the next delay that ends or less, never past it, and in waits only; an actor answers only
// while it lives.
import type { AnyActorRef, AnyMachineSnapshot } from 'xstate';
import { eventsFor, type EventCases } from './cases.ts';
import { eventOf, type Scripts } from './scripts.ts';
import type { ModelState } from './stepper.ts';
import type { Move, Outcome, StepNotation } from './steps.ts';
import { stateInWords } from './words.ts';

export interface Possible {
  readonly events: EventCases;
  readonly scripts: Scripts;
}

/** Actors that still may answer, by id. */
export function living({ snapshot, ended }: ModelState): [id: string, src: string][] {
  return Object.entries(snapshot.children as Record<string, AnyActorRef | undefined>).flatMap(
    ([id, child]): [string, string][] => {
      if (child === undefined || ended.has(child)) return [];
      const { src } = child as AnyActorRef & { readonly src?: unknown };
      return [[id, typeof src === 'string' ? src : id]];
    },
  );
}

/** Without a script an actor ends without output, and fails, where the machine handles that. */
function unscripted(snapshot: AnyMachineSnapshot, id: string, src: string): Outcome[] {
  const handled = new Set(snapshot._nodes.flatMap((node) => [...node.transitions.keys()]));
  const outcomes: Outcome[] = [];
  if (handled.has(`xstate.done.actor.${id}`)) outcomes.push({ output: undefined });
  if (handled.has(`xstate.error.actor.${id}`)) outcomes.push({ error: new Error(`${src} failed`) });
  return outcomes;
}

export const scriptOf = (scripts: Scripts, id: string, src: string): readonly Outcome[] | undefined =>
  scripts[id] ?? scripts[src];

/** Time passes to the next delay that ends. */
export function waitFrom({ delays, nowMs }: ModelState): Move | undefined {
  const [first] = delays;
  if (first === undefined) return undefined;
  const names = delays.filter(({ dueMs }) => dueMs === first.dueMs).map(({ name }) => name);
  const delayMs = first.dueMs - nowMs;
  return { kind: 'wait', event: first.event, delay: names.join(' + '), delayMs, until: 'end' };
}

export function movesFrom(state: ModelState, { events, scripts }: Possible): Move[] {
  const { snapshot } = state;
  if (snapshot.status !== 'active') return [];
  const sent = eventsFor(events, snapshot).map((event): Move => ({ kind: 'event', event }));
  const wait = waitFrom(state);
  const answers = living(state).flatMap(([id, src]) =>
    (scriptOf(scripts, id, src) ?? unscripted(snapshot, id, src)).map((outcome): Move => ({
      kind: 'actor',
      event: eventOf(id, outcome),
      src,
      id,
      outcome,
    })),
  );
  return [...sent, ...answers, ...(wait === undefined ? [] : [wait])];
}

/** The same move in another state, or why it cannot happen there. */
export function moveIn(state: ModelState, move: Move): Move | string {
  const where = stateInWords(state.snapshot);
  if (state.snapshot.status !== 'active') return `the machine has ended in ${where}`;
  if (move.kind === 'wait') {
    const wait = waitFrom(state);
    if (move.until === 'middle') {
      if (wait?.kind !== 'wait' || wait.delayMs > move.delayMs) return move;
      return `in ${where} ${wait.delay} ends after ${wait.delayMs} ms, not later than ${move.delayMs} ms`;
    }
    if (wait?.kind === 'wait' && wait.delay === move.delay) return wait;
    const next = wait?.kind === 'wait' ? `the next delay to end is ${wait.delay}` : 'no delay runs';
    return `in ${where} ${next}, not ${move.delay}`;
  }
  if (move.kind === 'actor') {
    const child = living(state).find(([id, src]) => id === move.id || src === move.src);
    if (child === undefined) return `in ${where} no actor ${move.src} runs`;
    return { ...move, id: child[0], src: child[1], event: eventOf(child[0], move.outcome) };
  }
  return move;
}

/** A step that someone wrote down, as a move of this state. @throws Error when it cannot happen there */
export function moveOf(state: ModelState, notation: StepNotation): Move {
  let wanted: Move;
  if ('type' in notation) wanted = { kind: 'event', event: notation };
  else if ('wait' in notation) {
    const wait = waitFrom(state);
    const isIt =
      wait?.kind === 'wait' &&
      (notation.wait === wait.delayMs ||
        notation.wait === wait.delay ||
        wait.delay.split(' + ').includes(String(notation.wait)));
    const { of = wait?.kind === 'wait' ? wait.delay : '' } = notation;
    const named = { kind: 'wait', event: { type: '' }, delay: String(notation.wait), delayMs: 0 } as const;
    wanted = isIt
      ? wait
      : typeof notation.wait === 'number'
        ? { ...named, delay: of, delayMs: notation.wait, until: 'middle' }
        : { ...named, until: 'end' };
  } else {
    const { actor, ...outcome } = notation;
    wanted = { kind: 'actor', event: { type: '' }, src: actor, id: actor, outcome };
  }
  const move = moveIn(state, wanted);
  if (typeof move === 'string') throw new Error(`this step cannot happen: ${move}`);
  return move;
}
