// One flat machine run three ways, seen the same way: compiled table, pure step, XState actor with performers.
// Invariant: a runner reports what its engine did, never what it should have done.
import { type AnyMachineSnapshot, createActor } from 'xstate';
import { compile, type CompiledMachine, recordEffects } from '../../../src/engine/index.ts';
import { bindPerformers, drive } from '../../../src/engine/index.ts';
import { createStepper, type Step } from '../../../src/engine/index.ts';
import type { Verdict } from '../../../src/engine/index.ts';
import type { AnyContext, AnyEvent, Entry } from '../../machines/machines.ts';

/** What one event did. Effects and delays stand in the order in which they came. */
export interface Outcome {
  readonly state: string;
  readonly context: AnyContext;
  readonly done: boolean;
  readonly due: readonly object[];
  readonly verdict: Verdict;
}

export interface Runner {
  readonly start: Outcome;
  send(event: AnyEvent): Outcome;
  /** Undefined when no delay runs. */
  expire(): Outcome | undefined;
}

interface Taken {
  readonly event: { readonly type: string };
  readonly _transitions: readonly { readonly target?: unknown; readonly actions: readonly unknown[] }[];
}

/** What XState's inspection says of an event: no transition is unexpected; a transition that does nothing is an explicit ignore. */
function verdictOf({ event, _transitions }: Taken): Verdict {
  const [taken] = _transitions;
  if (taken === undefined) return event.type.startsWith('xstate.') ? 1 : 2;
  return taken.target === undefined && taken.actions.length === 0 ? 1 : 0;
}

export function runCompiled({ machine, effects, input }: Entry): Runner {
  let due: object[] = [];
  const performers = recordEffects<typeof effects, AnyContext>(effects, (type, payload) =>
    due.push({ type, payload }),
  );
  const table: CompiledMachine<AnyContext, AnyEvent> = compile(
    machine as never,
    effects,
    performers as never,
    {
      entered: (actor) => {
        const delayMs = table.delayMs(actor as never);
        if (delayMs !== -1) due.push({ delayMs });
      },
    },
  ) as never;
  const actor = table.start(table.initialContext(input));
  const outcome = (verdict: Verdict): Outcome => {
    const state = table.states[actor.state] ?? '';
    const done = table.final[actor.state] === true;
    const result = { state, context: structuredClone(actor.context), done, due, verdict };
    due = [];
    return result;
  };
  return {
    start: outcome(0),
    send: (event) => outcome(table.send(actor, event)),
    expire: () => (table.delayMs(actor) === -1 ? undefined : outcome(table.expire(actor))),
  };
}

export function runSteps({ machine, effects, input }: Entry): Runner {
  const stepper = createStepper(machine, effects);
  let snapshot: AnyMachineSnapshot;
  let running: AnyEvent | undefined;
  const take = (step: Step, event: AnyEvent): Outcome => {
    const taken = machine.getTransitionData(snapshot as never, event) as unknown as Taken['_transitions'];
    const verdict = step.unexpected ? 2 : verdictOf({ event, _transitions: taken });
    snapshot = step.snapshot;
    const delays: object[] = [];
    for (const timer of step.timers) {
      running = 'set' in timer ? timer.event : undefined;
      if ('set' in timer) delays.push({ delayMs: timer.delayMs });
    }
    const { value, context, status } = snapshot;
    return {
      state: String(value),
      context,
      done: status === 'done',
      due: [...step.effects, ...delays],
      verdict,
    };
  };
  const first = stepper.start(input);
  snapshot = first.snapshot;
  const start = { ...take(first, { type: 'xstate.init' }), verdict: 0 as const };
  return {
    start,
    send: (event) => take(stepper.step(snapshot, event), event),
    expire() {
      if (running === undefined) return undefined;
      const event = running;
      running = undefined;
      return take(stepper.step(snapshot, event), event);
    },
  };
}

export function runActor({ machine, effects, input }: Entry): Runner {
  let due: object[] = [];
  let verdict: Verdict = 0;
  let timer: { fn: () => void } | undefined;
  const performers = Object.fromEntries(
    Object.keys(effects).map((type) => [type, (payload: object) => void due.push({ type, payload })]),
  );
  const driven = drive(machine, effects, performers);
  const actor = createActor(driven.machine, {
    input: input as never,
    clock: {
      setTimeout(fn: () => void, delayMs: number) {
        due.push({ delayMs });
        timer = { fn };
        return timer;
      },
      clearTimeout(id: unknown) {
        if (id === timer) timer = undefined;
      },
    } as never,
    inspect: (inspected) => {
      if (inspected.type === '@xstate.microstep') verdict = verdictOf(inspected as unknown as Taken);
    },
  });
  bindPerformers(actor, driven);
  actor.start();
  const outcome = (): Outcome => {
    const { value, context, status } = actor.getSnapshot() as AnyMachineSnapshot;
    const result = {
      state: String(value),
      context: context as AnyContext,
      done: status === 'done',
      due,
      verdict,
    };
    due = [];
    return result;
  };
  return {
    start: { ...outcome(), verdict: 0 },
    send(event) {
      actor.send(event as never);
      return outcome();
    },
    expire() {
      const fired = timer;
      if (fired === undefined) return undefined;
      timer = undefined;
      fired.fn();
      return outcome();
    },
  };
}
