// Stale outcomes and the ledger: neither may change what a machine does.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createStepper, type Step } from '../../src/engine/index.ts';
import {
  type Age,
  aged,
  type AnyContext,
  type AnyEvent,
  entries,
  type Entry,
  inEveryAge,
  readable,
} from './machines.ts';
import { possible, shortestPaths } from './paths.ts';
import { Scenario } from './scenario.ts';
import { strides, take } from './walks.ts';

const scrambled = (value: unknown, random: () => number): unknown => {
  if (typeof value === 'number') return Math.floor(random() * 1_000_000);
  if (typeof value === 'string') return `text ${Math.floor(random() * 1_000)}`;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((inner) => scrambled(inner, random));
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, scrambled(inner, random)]));
};

const fencedOf = ({ examples }: Entry) => examples.filter(({ epoch }) => epoch !== undefined);
const fencing = entries.filter((entry) => fencedOf(entry).length > 0);

it('finds fenced events in every machine that waits for something of its own', () => {
  expect(fencing.map(({ id }) => id)).toEqual(expect.arrayContaining(['connection', 'session', 'call']));
});

describe.each(fencing)('the machine $id', (entry) => {
  const { machine, effects, input } = entry;
  const fenced = fencedOf(entry);

  it('never changes state or control for an outcome of an older epoch', () => {
    let checked = 0;
    const older: readonly Age[] = ['older', 'older registration'];
    fc.assert(
      fc.property(strides(60), (walk) => {
        const scenario = new Scenario(entry, input);
        take(scenario, entry, walk, () => {
          for (const example of fenced) {
            for (const age of older) {
              if (age === 'older registration' && example.registrationEpoch === undefined) continue;
              const stale = aged(example, scenario.control, age);
              const step = createStepper(machine, effects).step(scenario.snapshot, stale);
              expect(step.unexpected, `${stale.type} in ${scenario.state}`).toBe(false);
              expect(readable(step.snapshot.value), `${age} ${stale.type}`).toBe(scenario.state);
              expect((step.snapshot.context as AnyContext).control).toEqual(scenario.control);
              expect(step.timers, `${age} ${stale.type} in ${scenario.state}`).toEqual([]);
              checked += 1;
            }
          }
        });
      }),
      { numRuns: 60 },
    );
    expect(checked).toBeGreaterThan(1_000);
  });

  it('counts what it ignores as stale in its ledger, and nowhere else', () => {
    const scenario = new Scenario(entry, input);
    const stale: AnyEvent[] = fenced.flatMap((example) =>
      inEveryAge(example, { epoch: -5, registrationEpoch: -5 }),
    );
    for (const event of stale) scenario.send(event);
    expect(scenario.ledger['staleEvents']).toBe(stale.length);
    expect(scenario.effectNames.filter((name) => name !== 'dismissSocket')).toEqual([]);
  });
});

describe.each(entries)('the machine $id', (entry) => {
  it('answers every event the same in every state, whatever its ledger holds', () => {
    const { machine, effects } = entry;
    const stepper = createStepper(machine, effects);
    // Nothing, the middle and the far end of every number: what a comparison with a constant would tell apart.
    const extremes = [() => 0, () => 0.5, () => 0.999_999];
    const answer = ({ snapshot, effects: due, timers }: Step) => [
      readable(snapshot.value),
      (snapshot.context as AnyContext).control,
      due.map(({ type }) => type),
      timers.map((timer) => ('set' in timer ? timer.set : timer.cleared)),
    ];
    for (const { snapshot, state } of shortestPaths(entry)) {
      const { control, ledger } = snapshot.context as AnyContext;
      for (const event of possible(entry, snapshot)) {
        const expected = answer(stepper.step(snapshot, event));
        for (const random of extremes) {
          const mutated = { ...snapshot, context: { control, ledger: scrambled(ledger, random) } };
          expect(
            answer(stepper.step(mutated as typeof snapshot, event)),
            `${event.type} in ${state}`,
          ).toEqual(expected);
        }
      }
    }
  });

  it('takes the same walk, whatever happens to its ledger on the way', () => {
    fc.assert(
      fc.property(
        strides(60),
        fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        (walk, numbers) => {
          const random = () => numbers.next().value;
          const seen = (scenario: Scenario, before: () => void) => {
            const trace: object[] = [];
            const note = () =>
              trace.push([
                scenario.state,
                scenario.control,
                scenario.effectNames,
                [...scenario.delays.keys()],
              ]);
            take(scenario, entry, walk, () => {
              note();
              before();
            });
            note();
            return trace;
          };
          const mutated = new Scenario(entry, entry.input);
          const mutate = () => {
            const { context, snapshot } = mutated;
            const ledger = scrambled(context.ledger, random);
            mutated.snapshot = { ...snapshot, context: { ...context, ledger } } as typeof snapshot;
          };
          const plain = new Scenario(entry, entry.input);
          expect(seen(mutated, mutate)).toEqual(seen(plain, () => {}));
        },
      ),
      { numRuns: 60 },
    );
  });
});
