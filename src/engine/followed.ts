// One actor of a transition log, followed line by line on its own machine.
// Invariant: after each line it stands where the machine says, or, when lines are missing, where the log says.
import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode, EventObject, StateValue } from 'xstate';
import { firstDifference } from './difference.ts';
import { delaysOf, eventInWords, possibleIn, waysFor } from './possible.ts';
import { statePath } from './state-path.ts';
import { isConstant, RunningDelays, type Late } from './running-delays.ts';
import { createStepper, type Step, type Stepper } from './step.ts';
import { INIT, STOP, type TransitionRecord } from './transition-record.ts';

/** Why a line is impossible. */
export interface Refusal {
  readonly what: string;
  /** Ways that the event had, or all that the state had. */
  readonly possible: readonly string[];
}

/** What a log's lines are held against: states and contexts, or states alone (for machines whose assigns are not pure). */
export type Compared = 'contexts' | 'states';

/** A machine as logs are checked against it; made once for all of its actors. */
export class Reference {
  readonly machine: AnyStateMachine;
  readonly stepper: Stepper;
  #fromContext: Stepper | undefined;

  constructor(machine: AnyStateMachine) {
    this.machine = machine;
    this.stepper = createStepper(machine);
  }

  /** Starts the machine with this very context, when what it was started with is not known. */
  startFrom(context: unknown): Step {
    if (this.#fromContext === undefined) {
      const { machine } = this;
      const config: object = { ...machine.config, context: ({ input }: { input: unknown }) => input };
      const made: unknown = Reflect.construct(machine.constructor, [config, machine.implementations]);
      this.#fromContext = createStepper(made as AnyStateMachine);
    }
    return this.#fromContext.start(context);
  }

  /** @throws Error when the machine has no such state */
  resolve({ to, context, history, status }: TransitionRecord): AnyMachineSnapshot {
    const { machine } = this;
    const historyValue = Object.fromEntries(
      Object.entries(history ?? {}).map(([id, nodes]) => [
        id,
        nodes.map((node) => machine.getStateNodeById(node) as AnyStateNode),
      ]),
    );
    return machine.resolveState({
      value: to as StateValue,
      context: context as never,
      historyValue,
      status: status === 'done' ? 'done' : 'active',
    } as never) as AnyMachineSnapshot;
  }
}

const show = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value));
const inState = (value: StateValue | null): string => (value === null ? 'nowhere' : statePath(value));

function pathsBelow(node: AnyStateNode): string[] {
  const below = Object.values(node.states) as AnyStateNode[];
  return below.flatMap((child) => [child.path.join('.'), ...pathsBelow(child)]);
}

/** An event as a log's reader needs it: its type and what it carries, but not when it came. */
export function showEvent({ type, at: _at, ...rest }: EventObject & { readonly at?: unknown }): string {
  return Object.keys(rest).length === 0 ? eventInWords(type) : `${eventInWords(type)} ${show(rest)}`;
}

export class Followed {
  /** Undefined while nothing is known: before the first line, and after a line without a context. */
  #snapshot: AnyMachineSnapshot | undefined;
  readonly #reference: Reference;
  readonly #compared: Compared;
  readonly #delays: RunningDelays;

  constructor(reference: Reference, compared: Compared, toleranceMs: number) {
    this.#reference = reference;
    this.#compared = compared;
    this.#delays = new RunningDelays(toleranceMs);
  }

  get known(): boolean {
    return this.#snapshot !== undefined;
  }

  get state(): string {
    return this.#snapshot === undefined ? 'unknown' : statePath(this.#snapshot.value);
  }

  /** Believes the line: lines before it are missing, so the step itself cannot be checked. */
  adopt(record: TransitionRecord): Refusal | undefined {
    this.#forget();
    if (record.to === null || record.context === undefined) return undefined;
    try {
      const snapshot = this.#reference.resolve(record);
      this.#snapshot = snapshot;
      this.#delays.reset(delaysOf(snapshot));
      return undefined;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return {
        what: `machine ${record.machine} has no state ${inState(record.to)} (${message})`,
        possible: pathsBelow(this.#reference.machine.root),
      };
    }
  }

  /** The next line of the actor. @returns why it is impossible, undefined when it is not */
  take(record: TransitionRecord): Refusal | undefined {
    const { event, from, status } = record;
    const snapshot = this.#snapshot;
    if (event.type === INIT) return this.#start(record);
    if (snapshot === undefined) return this.adopt(record);
    const stood = firstDifference(snapshot.value, from);
    if (stood !== undefined) {
      const what = `the line says that it was in ${inState(from)}, and by the line before it was in ${this.state}`;
      return { what, possible: possibleIn(snapshot) };
    }
    if (event.type === STOP || status === 'error') return this.#forget();
    return this.#delayed(record, snapshot) ?? this.#step(record, snapshot);
  }

  #start(record: TransitionRecord): Refusal | undefined {
    if (record.status === 'error') return this.#forget();
    let step: Step | undefined;
    let failure: unknown;
    try {
      step = this.#reference.stepper.start(record.input);
    } catch (error) {
      failure = error;
    }
    const unknownInput = record.input === undefined;
    const fits = step !== undefined && this.#differs(record, step) === undefined;
    if (!fits && unknownInput && record.context !== undefined) {
      // Its context came of an input that the log does not name: the states of the start can be checked all the same.
      try {
        const refusal = this.#differs(record, this.#reference.startFrom(record.context), 'states');
        return refusal ?? this.adopt(record);
      } catch (error) {
        failure ??= error;
      }
    }
    if (step === undefined)
      return {
        what: `the machine cannot start with input ${show(record.input)}: ${String(failure)}`,
        possible: [],
      };
    this.#delays.reset();
    const again = (): Step => this.#reference.stepper.start(record.input);
    return this.#differs(record, step) ?? this.#stand(record, step, again);
  }

  /** Delays that should be over by now, to be asked before the line is taken. */
  late({ at, event }: TransitionRecord): readonly Late[] {
    return event.type === INIT || event.type === STOP ? [] : [...this.#delays.late(at, event.type)];
  }

  /** A delay can only run out when it runs, and not before its time. */
  #delayed({ event: { type }, at }: TransitionRecord, snapshot: AnyMachineSnapshot): Refusal | undefined {
    if (!type.startsWith('xstate.after.')) return undefined;
    const ended = this.#delays.end(type, at);
    if (ended === true) return undefined;
    if (ended !== false) return { what: ended, possible: possibleIn(snapshot) };
    const running = this.#delays.types.map(eventInWords);
    const what = `${eventInWords(type)} cannot come: that delay was not running (${running.join(', ') || 'none was'})`;
    return { what, possible: possibleIn(snapshot) };
  }

  #step(record: TransitionRecord, snapshot: AnyMachineSnapshot): Refusal | undefined {
    const { event } = record;
    const made = (): Step => this.#reference.stepper.step(snapshot, event);
    let step: Step;
    try {
      step = made();
    } catch (error) {
      const what = `the machine crashes on ${showEvent(event)}: ${String(error)}; the line says that it did not`;
      return { what, possible: waysFor(this.#reference.machine, snapshot, event) };
    }
    const refusal = this.#differs(record, step);
    if (refusal === undefined) return this.#stand(record, step, made);
    const ways = waysFor(this.#reference.machine, snapshot, event);
    return { ...refusal, possible: ways.length > 0 ? ways : possibleIn(snapshot) };
  }

  #differs(
    record: TransitionRecord,
    { snapshot }: Pick<Step, 'snapshot'>,
    compared: Compared = this.#compared,
  ): Refusal | undefined {
    const { event, to, context } = record;
    const refuse = (what: string): Refusal => ({ what, possible: [] });
    if (firstDifference(snapshot.value, to) !== undefined) {
      return refuse(
        `${showEvent(event)} leads to ${statePath(snapshot.value as StateValue)}, and the line says ${inState(to)}`,
      );
    }
    const ended = snapshot.status === 'done';
    if (ended !== (record.status === 'done')) {
      const [is, says] = ended ? ['done', 'not'] : ['not done', 'it is'];
      return refuse(`after ${showEvent(event)} the actor is ${is}, and the line says that ${says}`);
    }
    if (compared === 'states' || context === undefined) return undefined;
    const other = firstDifference(snapshot.context, context);
    if (other === undefined) return undefined;
    const { path, expected, found } = other;
    return refuse(
      `${showEvent(event)} makes context${path === '' ? '' : `.${path}`} ${show(expected)}, and the line says ${show(found)}`,
    );
  }

  /** The line is right. */
  #stand(record: TransitionRecord, { snapshot, timers }: Step, again: () => Step): undefined {
    const { context } = record;
    if (timers.length > 0) {
      // The context of a machine whose assigns are not pure was another one when it computed a delay.
      const isKnown = (name: string): boolean =>
        this.#compared === 'contexts' || isConstant(this.#reference.machine, name);
      this.#delays.change(timers, record, isKnown, () => again().timers);
    }
    const adopted = this.#compared === 'states' && context !== undefined;
    this.#snapshot = adopted ? ({ ...snapshot, context } as AnyMachineSnapshot) : snapshot;
    return undefined;
  }

  #forget(): undefined {
    this.#snapshot = undefined;
    this.#delays.reset();
    return undefined;
  }
}
