// The machine itself as the system under test: a real actor of XState, its delays on a virtual clock, its actors scripted.
// Invariant: the actor is run by XState alone; the model only says what it should come to.
import {
  createActor,
  createMachine,
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
} from 'xstate';
import { VirtualClock } from './clock.ts';
import { answer, eventOf, withScriptedActors } from './scripts.ts';
import type { StepOf } from './steps.ts';
import type { Sut } from './sut.ts';
import { canonical, stateInWords } from './words.ts';

export interface ActorUnderTest {
  readonly actor: AnyActorRef;
  readonly clock: VirtualClock;
  readonly stop: () => void;
}

export interface ActorSutOptions {
  readonly input?: unknown;
}

function perform({ actor }: ActorUnderTest, step: StepOf<'actor'>): void {
  const { children } = actor.getSnapshot() as { readonly children: Readonly<Record<string, AnyActorRef>> };
  const child = children[step.id];
  if (child === undefined)
    throw new Error(`no actor ${step.id} runs; there are ${Object.keys(children).join(', ') || 'none'}`);
  if ('event' in step.outcome) actor.send(step.outcome.event);
  else if ((child as { src?: unknown }).src === undefined) actor.send(eventOf(step.id, step.outcome));
  else answer(child, step.outcome);
}

/** Lets time pass, and sees that nothing happens before the delay is over. */
function waitFor({ actor, clock }: ActorUnderTest, step: StepOf<'wait'>): void {
  const seen = (): string => stateInWords(actor.getSnapshot() as AnyMachineSnapshot);
  const before = seen();
  const early = step.until === 'middle' ? step.delayMs : Math.max(0, step.delayMs - 1);
  if (early > 0) clock.increment(early);
  if (seen() !== before)
    throw new Error(
      `the actor went from ${before} to ${seen()} before ${step.delay} (${step.delayMs} ms) was over`,
    );
  clock.increment(step.delayMs - early);
}

/**
 * A first system under test for any machine: the machine. It shows that the model is true; then put your system in its
 * place, for which it is the example. Actions run; give the machine harmless ones (`machine.provide`) where they must not.
 */
export function actorSut(machine: AnyStateMachine, options: ActorSutOptions = {}): Sut<ActorUnderTest> {
  const scripted = withScriptedActors(machine);
  return {
    create() {
      const clock = new VirtualClock();
      // A parent, for machines that talk to theirs; it also keeps an error of the machine from being thrown at large.
      const parent = createMachine({
        invoke: {
          id: machine.id,
          src: scripted,
          input: () => options.input,
          onDone: {},
          onError: {},
        } as never,
      });
      const root = createActor(parent, { clock, logger() {} }).start();
      const actor = (root.getSnapshot().children as Readonly<Record<string, AnyActorRef>>)[machine.id];
      if (actor === undefined) throw new Error(`${machine.id} did not start`);
      return { actor, clock, stop: () => root.stop() };
    },
    events: { '*': ({ actor }, { event }) => actor.send(event) },
    waits: { '*': waitFor },
    actors: { '*': perform },
    states: {
      '*'({ actor }, expected) {
        const { value, status } = actor.getSnapshot() as typeof expected;
        if (canonical([value, status]) === canonical([expected.value, expected.status])) return;
        throw new Error(
          `the actor is in ${stateInWords(actor.getSnapshot() as typeof expected)} (${status}), by the model it is in ${stateInWords(expected)} (${expected.status})`,
        );
      },
    },
    dispose: ({ stop }) => stop(),
  };
}
