// A registered machine by hand: moments, and the moves that lead from one to the next.
// Invariant: the machine is stepped as production steps it; a moment is a value, so going back is keeping the old one.
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate';
import type { Effects } from '../../machines/types.ts';
import { createStepper, type Effect, type Step, type Stepper } from '../../src/engine/step.ts';

/** As the registry of machines has them. */
export interface Simulated {
  readonly machine: AnyStateMachine;
  readonly effects: Effects<never>;
  readonly examples: readonly EventObject[];
  readonly input: unknown;
}

/** An event that came from outside, or time that passed: to the end of the next delay, or less. */
export type Move =
  | { readonly kind: 'event'; readonly event: EventObject & Readonly<Record<string, unknown>> }
  | { readonly kind: 'wait'; readonly delay: string }
  | { readonly kind: 'pass'; readonly delayMs: number };

/** A delay that runs. */
export interface Running {
  readonly id: string;
  readonly name: string;
  readonly delayMs: number;
  readonly startedMs: number;
  readonly event: EventObject;
}

export interface Moment {
  /** Undefined for the start. */
  readonly move: Move | undefined;
  readonly snapshot: AnyMachineSnapshot;
  /** All that had to be done since the moment before, in order. */
  readonly effects: readonly Effect[];
  /** In the order in which they end. */
  readonly running: readonly Running[];
  /** Of the simulation's own clock. */
  readonly nowMs: number;
  /** Events that the machine got since the moment before: more than one when several delays end at once. */
  readonly took: readonly { readonly event: EventObject; readonly from: unknown; readonly to: unknown }[];
  readonly unexpected: boolean;
}

export const dueMs = ({ startedMs, delayMs }: Running): number => startedMs + Math.max(0, delayMs);

/** More ends of delays than this within one wait are a loop. */
const MOST_ENDS = 1_000;

export class Simulation {
  readonly subject: Simulated;
  readonly #stepper: Stepper;

  constructor(subject: Simulated) {
    this.subject = subject;
    this.#stepper = createStepper(subject.machine, subject.effects);
  }

  /** @throws what the machine throws when the input does not fit */
  start(input: unknown): Moment {
    const step = this.#stepper.start(input);
    const empty = { running: [], nowMs: 0, effects: [], took: [], unexpected: false };
    return { ...after(empty, step), move: undefined };
  }

  /**
   * The moment after a move.
   *
   * @throws Error when the move is impossible: no delay of that name ends next, or one would end meanwhile
   * @throws what a guard, an assign or an effect of the machine throws
   */
  advance(moment: Moment, move: Move): Moment {
    const fresh = { ...moment, effects: [], took: [], unexpected: false };
    if (move.kind === 'event') return { ...this.#deliver(fresh, move.event), move };
    if (move.kind === 'pass') return { ...passed(fresh, move.delayMs), move };
    const next = moment.running[0];
    if (next === undefined || nextDelay(moment) !== move.delay)
      throw new Error(
        `${move.delay} cannot end now: ${next === undefined ? 'no delay runs' : `${nextDelay(moment)} ends first`}`,
      );
    return { ...this.#wait(fresh, dueMs(next)), move };
  }

  /** All moments of a path; it ends before a move that is not possible any more, and says why. */
  replay(input: unknown, moves: readonly Move[]): { moments: readonly Moment[]; fault?: string } {
    const moments = [this.start(input)];
    for (const [i, move] of moves.entries()) {
      try {
        moments.push(this.advance(moments.at(-1) as Moment, move));
      } catch (error) {
        return { moments, fault: `step ${i + 1}: ${error instanceof Error ? error.message : String(error)}` };
      }
    }
    return { moments };
  }

  #deliver(moment: Omit<Moment, 'move'>, event: EventObject): Omit<Moment, 'move'> {
    const step = this.#stepper.step(moment.snapshot, event);
    const { value } = moment.snapshot;
    const next = after(moment, step);
    return { ...next, took: [...moment.took, { event, from: value, to: step.snapshot.value }] };
  }

  /** Everything that is due then ends, also what only begins meanwhile. */
  #wait(moment: Omit<Moment, 'move'>, untilMs: number): Omit<Moment, 'move'> {
    let at: Omit<Moment, 'move'> = { ...moment, nowMs: untilMs };
    for (let ends = 0; ends < MOST_ENDS; ends += 1) {
      const [first, ...rest] = at.running;
      if (first === undefined || dueMs(first) > untilMs) return at;
      at = this.#deliver({ ...at, running: rest }, first.event);
    }
    throw new Error(`${this.subject.machine.id} sets delays of no length without end`);
  }
}

type Before = Pick<Moment, 'running' | 'nowMs' | 'effects' | 'took' | 'unexpected'>;

function after(before: Before, { snapshot, effects, timers, unexpected }: Step): Omit<Moment, 'move'> {
  let running = [...before.running];
  for (const change of timers) {
    if ('set' in change) {
      const { set: id, name, delayMs, event } = change;
      const timer = { id, name, delayMs, startedMs: before.nowMs, event };
      const at = running.findIndex((other) => dueMs(other) > dueMs(timer));
      running.splice(at < 0 ? running.length : at, 0, timer);
    } else running = running.filter(({ id }) => id !== change.cleared);
  }
  return {
    snapshot,
    effects: [...before.effects, ...effects],
    running: snapshot.status === 'active' ? running : [],
    nowMs: before.nowMs,
    took: before.took,
    unexpected: before.unexpected || unexpected,
  };
}

/** Name of what ends next; several that end at once are joined. Undefined when no delay runs. */
export function nextDelay({ running }: Pick<Moment, 'running'>): string | undefined {
  const [first] = running;
  if (first === undefined) return undefined;
  const together = running.filter((other) => dueMs(other) === dueMs(first));
  return together.map(({ name }) => delayInWords(name)).join(' + ');
}

/** A delay that stands in the machine as a number has only its length for a name. */
export const delayInWords = (name: string): string => (/^\d+$/.test(name) ? `${name} ms` : name);

function passed(moment: Omit<Moment, 'move'>, delayMs: number): Omit<Moment, 'move'> {
  const [first] = moment.running;
  if (first !== undefined && dueMs(first) <= moment.nowMs + delayMs)
    throw new Error(
      `${delayMs} ms are too long: ${String(nextDelay(moment))} ends after ${dueMs(first) - moment.nowMs} ms`,
    );
  return { ...moment, nowMs: moment.nowMs + delayMs };
}
