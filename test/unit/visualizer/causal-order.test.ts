// Steps come in any order, from clocks that differ: the diagram shows none before the step that led to it.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Step } from '../../../src/protocol/inspection.ts';
import { CausalOrder, stepKey, type Placed } from '../../../visualizer/stream/causal-order.ts';
import { busiest, isFound, shownSteps, stateInWords } from '../../../visualizer/stream/lifelines.ts';

const step = (actor: string, clock: number, at: number, more: Partial<Step> = {}): Step => ({
  kind: 'step',
  process: `p/${actor}`,
  actor,
  machine: 'm',
  seq: clock,
  at,
  clock,
  event: { type: `e${clock}` },
  from: 'a',
  to: 'b',
  ...more,
});
const causedBy = (actor: string, clock: number): Partial<Step> => ({
  cause: { process: `p/${actor}`, actor, clock },
});
const inShort = (steps: readonly Placed[]): string[] => steps.map(({ step: s }) => `${s.actor}${s.clock}`);

/** A run of some actors, whose clocks are Lamport's and whose processes' times are skewed. */
const runs = fc
  .record({
    moves: fc.array(fc.record({ who: fc.nat(4), heard: fc.option(fc.nat(20)) }), { maxLength: 40 }),
    skews: fc.array(fc.integer({ min: -30, max: 30 }), { minLength: 5, maxLength: 5 }),
  })
  .map(({ moves, skews }) => {
    const clocks = [0, 0, 0, 0, 0];
    const steps: Step[] = [];
    for (const [time, { who, heard }] of moves.entries()) {
      const cause = heard === null ? undefined : steps[steps.length - 1 - heard];
      const clock = Math.max(clocks[who]!, cause?.clock ?? 0) + 1;
      clocks[who] = clock;
      const more = cause === undefined ? {} : causedBy(cause.actor, cause.clock);
      steps.push(step('abcde'[who]!, clock, time * 5 + skews[who]!, more));
    }
    return steps;
  });

/** The same steps as they may come: in batches, shuffled, some of them twice. */
const arrivals = runs.chain((steps) =>
  fc.record({
    steps: fc.constant(steps),
    batches: fc
      .tuple(
        fc.shuffledSubarray(steps, { minLength: steps.length }),
        fc.shuffledSubarray(steps),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 9 }),
      )
      .map(([all, again, sizes]) => {
        const coming = [...all, ...again];
        const batches: Step[][] = [];
        for (let n = 0; coming.length > 0; n += 1) batches.push(coming.splice(0, sizes[n % sizes.length]));
        return batches;
      }),
  }),
);

/** What stands before what it must follow. */
function misplaced(order: readonly Step[]): string[] {
  const places = new Map(order.map((it, n) => [stepKey(it.process, it.actor, it.clock), n]));
  return order.flatMap((it, n) => {
    const { cause } = it;
    const early =
      cause?.actor !== undefined && places.get(stepKey(cause.process, cause.actor, cause.clock))! > n;
    const overtaken = order.slice(n).some((other) => other.actor === it.actor && other.clock < it.clock);
    return early || overtaken ? [`${it.actor}${it.clock}`] : [];
  });
}

describe('the order', () => {
  test('puts no step before its cause or its actor’s elders, and does not depend on when steps came', () => {
    fc.assert(
      fc.property(arrivals, ({ steps, batches }) => {
        const order = new CausalOrder(1_000);
        for (const batch of batches) order.add(batch);
        expect(misplaced(order.steps.map((it) => it.step))).toEqual([]);
        const atOnce = new CausalOrder(1_000);
        atOnce.add(steps);
        expect(inShort(order.steps)).toEqual(inShort(atOnce.steps));
        expect(order.steps).toHaveLength(steps.length);
      }),
      { numRuns: 300 },
    );
  });

  test('is not that of time, nor that of arrival: those put effects before causes', () => {
    const byTime = (batches: readonly Step[][]) => batches.flat().toSorted((a, b) => a.at - b.at);
    const byArrival = (batches: readonly Step[][]) => batches.flat();
    for (const order of [byTime, byArrival]) {
      const found = fc.check(fc.property(arrivals, ({ batches }) => misplaced(order(batches)).length === 0));
      expect(found.failed).toBe(true);
    }
  });

  test('is that of time where nothing speaks against it, and stable where times are equal', () => {
    const order = new CausalOrder(10);
    order.add([step('b', 9, 5), step('a', 1, 20), step('c', 3, 5), step('a', 0, 5)]);
    expect(inShort(order.steps)).toEqual(['a0', 'c3', 'b9', 'a1']);
  });

  test('moves what was placed before its cause came, and what follows from it', () => {
    const order = new CausalOrder(10);
    order.add([step('b', 2, 10, causedBy('a', 1)), step('b', 3, 11), step('c', 4, 12, causedBy('b', 3))]);
    order.add([step('d', 1, 50)]);
    expect(inShort(order.steps)).toEqual(['b2', 'b3', 'c4', 'd1']);
    order.add([step('a', 1, 60)]);
    expect(inShort(order.steps)).toEqual(['d1', 'a1', 'b2', 'b3', 'c4']);
    expect(order.steps[2]!.cause).toBe(order.steps[1]);
  });

  test('keeps the latest, counts what it drops, and needs no cause that is gone', () => {
    const order = new CausalOrder(3);
    order.add(Array.from({ length: 5 }, (_, n) => step('a', n + 1, n, n === 0 ? {} : causedBy('a', n))));
    expect(inShort(order.steps)).toEqual(['a3', 'a4', 'a5']);
    expect(order.dropped).toBe(2);
    expect(order.steps[0]!.cause).toBeUndefined();
    order.add([step('a', 6, 2)]);
    expect(inShort(order.steps)).toEqual(['a4', 'a5', 'a6']);
  });

  test('of a cause that claims to come later than its effect takes no notice', () => {
    const order = new CausalOrder(10);
    order.add([step('a', 1, 1, causedBy('b', 5)), step('b', 5, 2, causedBy('a', 9))]);
    expect(inShort(order.steps)).toEqual(['a1', 'b5']);
  });
});

describe('a diagram', () => {
  const order = new CausalOrder(100);
  order.add([
    step('hub', 1, 1),
    step('node', 2, 2, { ...causedBy('hub', 1), event: { type: 'Socket.Opened', url: 'ws://x' } }),
    step('hub', 3, 3, causedBy('node', 2)),
    ...Array.from({ length: 6 }, (_, n) => step('timer', 10 + n, 10 + n)),
  ]);
  const key = (actor: string) => `p/${actor} ${actor}`;

  test('shows the steps of chosen actors, by the event’s type and from a moment on', () => {
    const actors = new Set([key('hub'), key('node')]);
    expect(inShort(shownSteps(order.steps, { actors }))).toEqual(['hub1', 'node2', 'hub3']);
    expect(inShort(shownSteps(order.steps, { actors, event: 'socket' }))).toEqual(['node2']);
    expect(inShort(shownSteps(order.steps, { actors, from: 2 }))).toEqual(['node2', 'hub3']);
    expect(shownSteps(order.steps, { actors: new Set() })).toEqual([]);
  });

  test('chooses first who talks to others, and lets who is there stay in its place', () => {
    expect(busiest(order.steps, 2, [])).toEqual([key('hub'), key('node')]);
    expect(busiest(order.steps, 1, [key('node')])).toEqual([key('node')]);
    expect(busiest(order.steps, 2, [key('timer')])).toEqual([key('hub'), key('node')]);
    expect(busiest(order.steps, 3, [key('timer')])).toEqual([key('timer'), key('hub'), key('node')]);
    expect(busiest(order.steps, 9, [])).toEqual([key('hub'), key('node'), key('timer')]);
    expect(busiest([], 9, [])).toEqual([]);
  });

  test('says of a state what is new in it', () => {
    const link = (liveness: string, health: string) => ({ connected: { liveness, health } });
    expect(stateInWords(null, 'idle')).toBe('idle');
    expect(stateInWords('idle', { establishing: 'registering' })).toBe('establishing.registering');
    expect(stateInWords(link('listening', 'waiting'), link('probing', 'waiting'))).toBe('liveness.probing');
    expect(stateInWords(link('a', 'b'), link('a', 'b'))).toBe('liveness.a, health.b');
    expect(stateInWords(null, null)).toBe('crashed');
  });

  test('finds text in events, states and names', () => {
    const found = (text: string) => inShort(order.steps.filter((it) => isFound(it, text)));
    expect(found('WS://X')).toEqual(['node2']);
    expect(found('p/hub')).toEqual(['hub1', 'hub3']);
    expect(found('')).toEqual([]);
  });
});
