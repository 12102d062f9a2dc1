// What can happen to a machine in a test: it starts, it gets an event, time passes, an actor that it invoked answers.
// Invariant: a move is plain data; the same move has the same words in a path, in a report and in a generated file.
import type { AnyEventObject, AnyMachineSnapshot, EventObject } from 'xstate';
import { canonical, inWords } from './words.ts';

/** What an invoked or spawned actor does, once: it ends well, it fails, it reports a snapshot, it tells its parent something. */
export type Outcome =
  | { readonly output: unknown }
  | { readonly error: unknown }
  | { readonly snapshot: unknown }
  | { readonly event: EventObject };

/** One thing that happens. `event` is what the machine gets; for a wait it is the first of the delays that end, if one does. */
export type Move =
  | { readonly kind: 'start'; readonly event: EventObject }
  | { readonly kind: 'event'; readonly event: AnyEventObject }
  | {
      readonly kind: 'wait';
      readonly event: EventObject;
      /** Names of the delays that end now, or that this is a part of, joined by ` + ` where there are several. */
      readonly delay: string;
      /** Virtual time from the step before, in milliseconds. */
      readonly delayMs: number;
      /** `end`: the delay ends now. `middle`: only time passes, and nothing ends. */
      readonly until: 'end' | 'middle';
    }
  | {
      readonly kind: 'actor';
      readonly event: EventObject;
      /** Name of the actor's logic in the machine (`src`). */
      readonly src: string;
      /** Id of the actor among the machine's children. */
      readonly id: string;
      readonly outcome: Outcome;
    };

/** A move of a path, and the snapshot that the machine has after it (as in `xstate/graph`, the first one is the start). */
export type TestStep = Move & {
  readonly state: AnyMachineSnapshot;
  /** The move in words: `wait 300 ms (debounce)`. */
  readonly label: string;
  /** The machine's transitions that were taken, `always` included, as `editing: submit [valid] → saving`. */
  readonly transitions: readonly string[];
};

/** The steps of one kind: what an executor of that kind gets. */
export type StepOf<Kind extends Move['kind']> = Extract<TestStep, { readonly kind: Kind }>;

/**
 * A step as one writes it: an event, `{ wait: 'debounce' }` to its end, `{ wait: 100, of: 'debounce' }` in its middle, or
 * `{ actor: 'loadUser', output: … }`.
 */
export type StepNotation =
  | (EventObject & Readonly<Record<string, unknown>>)
  | { readonly wait: string | number; readonly of?: string }
  | ({ readonly actor: string } & Outcome);

/** A step with the words of the state that it leads to: `[{ wait: 'debounce' }, 'editing.ready']`. */
export type ExpectedStep = readonly [step: StepNotation, state: string];

export const START: Move = { kind: 'start', event: { type: 'xstate.init' } };

function fieldsOf({ type: _, ...fields }: EventObject): string {
  return Object.keys(fields).length === 0 ? '' : ` ${inWords(fields)}`;
}

export function outcomeInWords(outcome: Outcome): string {
  if ('output' in outcome) return outcome.output === undefined ? 'done' : `done ${inWords(outcome.output)}`;
  if ('error' in outcome) return `fails with ${inWords(outcome.error)}`;
  if ('snapshot' in outcome) return `reports ${inWords(outcome.snapshot)}`;
  return `sends ${outcome.event.type}${fieldsOf(outcome.event)}`;
}

/** The move in words; two moves with the same words are the same move. */
export function labelOf(move: Move): string {
  switch (move.kind) {
    case 'start':
      return 'start';
    case 'event':
      return `${move.event.type}${fieldsOf(move.event)}`;
    case 'wait':
      return `wait ${move.delayMs} ms${move.until === 'end' ? ` (${move.delay})` : ''}`;
    case 'actor':
      return `${move.src}: ${outcomeInWords(move.outcome)}`;
  }
}

/** A key for the move within one state. */
export function keyOfMove(move: Move): string {
  if (move.kind === 'wait')
    return move.until === 'end' ? `wait ${move.delay}` : `wait ${move.delayMs} of ${move.delay}`;
  return canonical(move.kind === 'actor' ? [move.id, move.outcome] : move.event);
}

/** The move as one would write it. */
export function notationOf(move: Move): StepNotation {
  if (move.kind === 'wait')
    return move.until === 'end' ? { wait: move.delay } : { wait: move.delayMs, of: move.delay };
  if (move.kind === 'actor') return { actor: move.src, ...move.outcome };
  return move.event;
}
