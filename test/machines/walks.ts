// Random walks through a machine: examples in every age, and delays that expire, as fast-check arbitraries.
// Invariant: a walk is data; the same walk can be taken by several runners and compared.
import fc from 'fast-check';
import { AGES, type Age, aged, type AnyContext, type AnyEvent, type Entry } from './machines.ts';
import type { Scenario } from './scenario.ts';

export interface Stride {
  /** Chooses the example, or which of the running delays expires. */
  readonly pick: number;
  readonly age: Age;
  readonly expires: boolean;
  /** Time since the stride before, in milliseconds. */
  readonly passedMs: number;
}

export const strides = (maxLength: number): fc.Arbitrary<Stride[]> =>
  fc.array(
    fc.record({
      pick: fc.nat(1_000),
      // Mostly current: a walk of stale events goes nowhere.
      age: fc.oneof(
        { weight: 6, arbitrary: fc.constant<Age>('current') },
        { weight: 4, arbitrary: fc.constantFrom(...AGES) },
      ),
      expires: fc.oneof(
        { weight: 4, arbitrary: fc.constant(false) },
        { weight: 1, arbitrary: fc.constant(true) },
      ),
      passedMs: fc.nat(20_000),
    }),
    { minLength: 1, maxLength, size: 'max' },
  );

/** The event of a stride for an actor whose control part is `control`. */
export function eventOf(
  entry: Entry,
  { pick, age }: Stride,
  control: AnyContext['control'],
  at: number,
): AnyEvent {
  const example = entry.examples[pick % entry.examples.length] as AnyEvent;
  const event = aged(example, control, age);
  return example.at === undefined ? event : { ...event, at };
}

/** Which of the running delays a stride lets expire; undefined when it is about an event, or none runs. */
export function expiryOf<T>({ pick, expires }: Stride, running: readonly T[]): T | undefined {
  return expires ? running[pick % Math.max(1, running.length)] : undefined;
}

/** Takes a walk, life after life: an actor that is done starts again. `visit` is called before every stride. */
export function take(scenario: Scenario, entry: Entry, walk: readonly Stride[], visit: () => void): void {
  let at = 0;
  for (const stride of walk) {
    if (scenario.done) scenario.restart();
    visit();
    at += stride.passedMs;
    const expiring = expiryOf(stride, [...scenario.delays.values()]);
    if (expiring) scenario.expire(expiring.name);
    else scenario.send(eventOf(entry, stride, scenario.control, at));
  }
}
