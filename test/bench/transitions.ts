// Transitions per second of one machine (call), run three ways: compiled table, XState actor, pure step.
// Invariant: all three take the same events and perform the same effects; only the engine differs.

import { createActor } from 'xstate';
import { callEffects, type CallEvent, type CallInput, callInput, callMachine } from '../../machines/index.ts';
import { bindPerformers, compile, createStepper, drive } from '../../src/engine/index.ts';
import { median, rotated } from './rows.ts';
import type { BenchOptions, Row } from './rows.ts';

const BASELINE = 'createActor';

/** One call that takes events, and how many effects it has performed. */
interface Running {
  send(event: CallEvent): void;
  performed(): number;
}

interface Subject {
  readonly name: string;
  /** A new call: creating it and entering its first state is the first transition. */
  start(input: CallInput): Running;
}

function compiledTable(): Subject {
  let performed = 0;
  const count = () => void (performed += 1);
  const table = compile(callMachine, callEffects, { sendAttempt: count, sendCancel: count, settle: count });
  return {
    name: 'compiled',
    start(input) {
      performed = 0;
      const actor = table.start(table.initialContext(input));
      return { send: (event) => void table.send(actor, event), performed: () => performed };
    },
  };
}

function xstateActor(): Subject {
  let performed = 0;
  const count = () => void (performed += 1);
  const driven = drive(callMachine, callEffects, { sendAttempt: count, sendCancel: count, settle: count });
  // A clock that never fires: what is measured is transitions, not timers of Node.
  const clock = { setTimeout: () => 0, clearTimeout: () => {} };
  return {
    name: BASELINE,
    start(input) {
      performed = 0;
      const actor = createActor(driven.machine, { input, clock });
      bindPerformers(actor, driven);
      actor.start();
      return { send: (event) => actor.send(event), performed: () => performed };
    },
  };
}

function pureStep(): Subject {
  const stepper = createStepper(callMachine, callEffects);
  return {
    name: 'machine.transition',
    start(input) {
      let { snapshot, effects } = stepper.start(input);
      let performed = effects.length;
      return {
        send(event) {
          ({ snapshot, effects } = stepper.step(snapshot, event));
          performed += effects.length;
        },
        performed: () => performed,
      };
    },
  };
}

interface Load {
  readonly name: string;
  /** Transitions of one batch, for which the effects must be `effects`. */
  readonly transitions: number;
  readonly effects: number;
  batch(subject: Subject): number;
}

/** Two attempts and late answers, as a call that is moved sees them. */
const LIFE: readonly CallEvent[] = [
  { type: 'attempt.sent', at: 1 },
  { type: 'attempt.assigned', epoch: 1, at: 2 },
  { type: 'attempt.unstarted', epoch: 1, at: 3 },
  { type: 'attempt.sent', at: 4 },
  { type: 'attempt.assigned', epoch: 1, at: 5 },
  { type: 'attempt.assigned', epoch: 2, at: 6 },
  { type: 'attempt.succeeded', epoch: 1, at: 7 },
  { type: 'attempt.succeeded', epoch: 2, at: 8 },
];
const LIVES = 100;
const MOVES = 300;

/** Whole lives, creation included: what a call costs. */
const calls: Load = {
  name: 'call',
  transitions: LIVES * (LIFE.length + 1),
  effects: LIVES * 3,
  batch(subject) {
    let performed = 0;
    for (let life = 0; life < LIVES; life++) {
      const call = subject.start(callInput);
      for (const event of LIFE) call.send(event);
      performed += call.performed();
    }
    return performed;
  },
};

/** One call that is moved again and again: what a transition costs once the actor exists. */
const moves: Load = {
  name: 'send',
  transitions: 1 + 3 * MOVES,
  effects: 1 + MOVES,
  batch(subject) {
    const call = subject.start({ ...callInput, attemptLimit: MOVES + 2 });
    for (let epoch = 1; epoch <= MOVES; epoch++) {
      call.send({ type: 'attempt.sent', at: epoch });
      call.send({ type: 'attempt.assigned', epoch, at: epoch });
      call.send({ type: 'attempt.unstarted', epoch, at: epoch });
    }
    return call.performed();
  },
};

/** Transitions per second over about `durationMs`. */
function rateOf(subject: Subject, load: Load, durationMs: number): number {
  const began = performance.now();
  let batches = 0;
  let elapsedMs = 0;
  while (elapsedMs < durationMs) {
    const performed = load.batch(subject);
    if (performed !== load.effects) {
      throw new Error(`${subject.name}@${load.name} performed ${performed} effects, not ${load.effects}`);
    }
    batches += 1;
    elapsedMs = performance.now() - began;
  }
  return (batches * load.transitions * 1_000) / elapsedMs;
}

/** Rows `<engine>@call` (whole lives) and `<engine>@send` (an actor that exists), beside XState's own actor. */
export async function run({ rounds, quick, say }: BenchOptions): Promise<Row[]> {
  const durationMs = quick ? 100 : 500;
  const subjects = [compiledTable(), xstateActor(), pureStep()];
  const loads = [calls, moves];
  const rates = new Map<string, number[]>();
  for (const load of loads) for (const subject of subjects) rateOf(subject, load, durationMs); // warm-up

  for (let round = 0; round < rounds; round++) {
    for (const load of loads) {
      for (const subject of rotated(subjects, round)) {
        const key = `${subject.name}@${load.name}`;
        const rate = rateOf(subject, load, durationMs);
        rates.set(key, [...(rates.get(key) ?? []), rate]);
        say(`round ${round + 1}/${rounds}  ${key.padEnd(24)} ${Math.round(rate)} transitions/s`);
      }
    }
  }
  return loads.flatMap((load) =>
    subjects.map((subject) => {
      const name = `${subject.name}@${load.name}`;
      const value = median(rates.get(name) ?? []);
      const ratio = value / median(rates.get(`${BASELINE}@${load.name}`) ?? []);
      return { name, value, unit: 'transitions/s', ratio };
    }),
  );
}
