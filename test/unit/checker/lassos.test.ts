// The judgement of liveness against one that is slow and obvious: all sets of states, tried one by one.
// Invariant: the two share nothing but the definition of fairness.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { check, defineSystem, model, type View } from '../../../src/checker/index.ts';
import { nothing } from './toys.ts';

interface Way {
  readonly from: number;
  readonly to: number;
  readonly by: 'p' | 'q';
  readonly fault: boolean;
}

const PLACES = 5;
const place = fc.integer({ min: 0, max: PLACES - 1 });
const graphs = fc.record({
  ways: fc.array(
    fc.record<Way>({ from: place, to: place, by: fc.constantFrom('p', 'q'), fault: fc.boolean() }),
    { maxLength: 9 },
  ),
  over: fc.uniqueArray(place, { maxLength: 2 }),
});
const labelOf = ({ by, fault }: Way) => `${by}${fault ? '!' : ''}`;

/** One place, moved by the choices of two models; each has one label for its moves and one for its faults. */
function systemOf(ways: readonly Way[]) {
  const mover = (by: string) =>
    model<number>({
      initial: 0,
      step: (_, { to }) => ({
        state: to as number,
        outputs: [{ tell: by === 'p' ? 'q' : 'p', event: { type: 'heard', to } }],
      }),
      choices: (at) =>
        ways
          .filter((way) => way.from === at && way.by === by)
          .map((way) => ({ event: { type: 'go', to: way.to }, label: labelOf(way), fault: way.fault })),
    });
  const quiet = (by: string) => {
    const loud = mover(by) as unknown as {
      step: (at: number, event: { type: string; to: number }) => object;
    };
    return {
      ...loud,
      step: (at: number, event: { type: string; to: number }) =>
        event.type === 'heard' ? { state: event.to } : loud.step(at, event),
    } as never;
  };
  return defineSystem({ actors: { p: quiet('p'), q: quiet('q') }, route: nothing });
}

function reach(
  from: readonly number[],
  ways: readonly Way[],
  allowed: (place: number) => boolean,
): Set<number> {
  const found = new Set(from.filter(allowed));
  for (const at of found) for (const way of ways) if (way.from === at && allowed(way.to)) found.add(way.to);
  return found;
}

/** Is there a set of states, reached before it is over, that a fair run can visit all of for ever? */
function hasFairLasso(ways: readonly Way[], over: readonly number[]): boolean {
  const before = reach([0], ways, (at) => !over.includes(at));
  const fair = ways.filter((way) => !way.fault);
  for (let set = 1; set < 1 << PLACES; set++) {
    const inside = (at: number) => ((set >> at) & 1) === 1;
    const members = Array.from({ length: PLACES }, (_, i) => i).filter(inside);
    if (!members.every((at) => before.has(at))) continue;
    if (!members.every((at) => reach([at], fair, inside).size === members.length)) continue;
    const starves = (['p', 'q'] as const).some((by) => {
      const possible = members.every((at) => fair.some((way) => way.from === at && way.by === by));
      const made = fair.some((way) => way.by === by && inside(way.from) && inside(way.to));
      return possible && !made;
    });
    if (!starves) return true;
  }
  return false;
}

describe('liveness on random graphs', () => {
  it('agrees with trying all sets of states', () => {
    const verdicts = { lasso: 0, none: 0 };
    fc.assert(
      fc.property(graphs, ({ ways, over }) => {
        const done = (view: View) => over.includes(view.model<number>('p'));
        const { violation } = check(systemOf(ways), { eventually: { done } });
        const expected = hasFairLasso(ways, over);
        verdicts[expected ? 'lasso' : 'none']++;
        expect(violation !== undefined).toBe(expected);
        if (violation === undefined) return;
        const repeated = violation.steps.slice((violation.cycle ?? 0) - 1);
        expect(repeated.some(({ label }) => label.endsWith('!'))).toBe(false);
      }),
      { numRuns: 400, seed: 1 },
    );
    expect(Math.min(verdicts.lasso, verdicts.none)).toBeGreaterThan(40);
  });
});
