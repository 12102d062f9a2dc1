// The compiled table, the pure step and XState's own actor are one machine: same state, context, effects, verdict.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { callMachine, executionMachine } from '../../../machines/index.ts';
import { aged, type AnyEvent, type Entry, flatEntries, inEveryAge } from '../../machines/machines.ts';
import { configurations } from '../../machines/paths.ts';
import { eventOf, type Stride, strides } from '../../machines/walks.ts';
import { counterEffects, counterExamples, counterMachine } from './counter.ts';
import { type Outcome, runActor, runCompiled, type Runner, runSteps } from './runners.ts';

const EXPIRE: AnyEvent = { type: '(expire)' };

/** Runs one event through all three; fails where they differ. Answers what they agree on. */
class Trio {
  readonly runners: readonly Runner[];
  last: Outcome;

  constructor(entry: Entry) {
    this.runners = [runCompiled(entry), runSteps(entry), runActor(entry)];
    this.last = this.agree(this.runners.map(({ start }) => start));
  }

  take(event: AnyEvent): Outcome {
    const outcomes = this.runners.map((runner) => (event === EXPIRE ? runner.expire() : runner.send(event)));
    return (this.last = this.agree(outcomes));
  }

  private agree([compiled, ...others]: readonly (Outcome | undefined)[]): Outcome {
    const expected = JSON.stringify(compiled);
    // Comparing text first is what makes a hundred thousand comparisons quick.
    for (const other of others)
      if (JSON.stringify(other) !== expected) assert.deepStrictEqual(compiled, other);
    return compiled ?? this.last;
  }
}

/** What the registry's machines do not use of the subset, this one does. */
const counter = {
  id: 'counter',
  machine: counterMachine,
  effects: counterEffects,
  examples: counterExamples,
  input: { at: 5 },
} as unknown as Entry;

/** Inputs that lead through different guards. */
function variants(entry: Entry): Entry[] {
  if (entry.id !== 'call') return [entry];
  const inputs = [0, 1].flatMap((idempotent) => [1, 3].map((attemptLimit) => ({ idempotent, attemptLimit })));
  return inputs.map((input) => ({ ...entry, input: { ...(entry.input as object), ...input } }));
}

const possible = (entry: Entry, { context }: Outcome) => [
  ...entry.examples.flatMap((example) => inEveryAge(example, context.control)),
  EXPIRE,
];

it('is tried on every flat machine of the registry, calls and executions among them', () => {
  expect(flatEntries.map(({ machine }) => machine)).toEqual(
    expect.arrayContaining([callMachine, executionMachine]),
  );
});

describe.each([...flatEntries, counter])('the machine $id, compiled, stepped and as an actor', (entry) => {
  it('agrees on every pair of state and event, in every age, and on every expiry', () => {
    let pairs = 0;
    for (const variant of variants(entry)) {
      for (const { events } of configurations(variant).values()) {
        const lead = (): Trio => {
          const trio = new Trio(variant);
          for (const event of events) trio.take(event.type.startsWith('xstate.after.') ? EXPIRE : event);
          return trio;
        };
        const { last } = lead();
        if (last.done) continue;
        for (const event of possible(variant, last)) {
          lead().take(event);
          pairs += 1;
        }
      }
    }
    expect(pairs).toBeGreaterThan(9);
  });

  // As long as some ten thousand of them allow.
  const ways = 1 + entry.examples.reduce((sum, { epoch }) => sum + (epoch === undefined ? 1 : 2), 0);
  const length = Math.floor(Math.log(30_000) / Math.log(ways));

  it(`agrees on every sequence of ${length} events, current and older, and expiries`, () => {
    let sequences = 0;
    for (const variant of variants(entry)) {
      const extend = (events: readonly AnyEvent[]): void => {
        const trio = new Trio(variant);
        for (const event of events) trio.take(event);
        sequences += 1;
        if (trio.last.done || events.length === length) return;
        const { control } = trio.last.context;
        const inTwoAges = variant.examples.flatMap((example) =>
          example.epoch === undefined
            ? [example]
            : [aged(example, control, 'current'), aged(example, control, 'older')],
        );
        for (const event of [...inTwoAges, EXPIRE]) extend([...events, event]);
      };
      extend([]);
    }
    expect(sequences).toBeGreaterThan(1_000);
  }, 30_000);

  it('agrees on long random walks', () => {
    let handled = 0;
    fc.assert(
      fc.property(strides(200), fc.nat(3), (walk, variant) => {
        const chosen = variants(entry)[variant % variants(entry).length] as Entry;
        let trio = new Trio(chosen);
        let at = 0;
        walk.forEach((stride: Stride) => {
          if (trio.last.done) trio = new Trio(chosen);
          at += stride.passedMs;
          const { control } = trio.last.context;
          const outcome = trio.take(stride.expires ? EXPIRE : eventOf(chosen, stride, control, at));
          handled += outcome.verdict === 0 ? 1 : 0;
        });
      }),
      { numRuns: 100 },
    );
    expect(handled).toBeGreaterThan(1_000);
  });

  it('agrees that an event out of the blue is unexpected, and that an actor that is done takes none', () => {
    for (const { events } of configurations(entry).values()) {
      const trio = new Trio(entry);
      for (const event of events) trio.take(event.type.startsWith('xstate.after.') ? EXPIRE : event);
      if (trio.last.done) {
        const compiled = trio.runners[0] as Runner;
        expect(compiled.send(entry.examples[0] as AnyEvent)).toEqual({ ...trio.last, due: [], verdict: 1 });
      } else {
        expect(trio.take({ type: 'pigs.flew' })).toMatchObject({ verdict: 2, due: [] });
      }
    }
  });
});
