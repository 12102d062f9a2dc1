// A history as the state of a model: what it forgets, and that what it keeps says the same.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  check,
  defineSystem,
  linearizability,
  type History,
  type HistoryEvent,
} from '../../../src/checker/index.ts';
import { callsOf, eventsOf, historyActor } from '../../../src/checker/history.ts';
import { inRealTime, register, registerHistory, type RegisterOp, type RegisterResult } from './objects.ts';
import { nothing } from './toys.ts';

type Event = HistoryEvent<RegisterOp, RegisterResult>;

const kept = (events: readonly Event[]): History<RegisterOp, RegisterResult> => {
  const actor = historyActor();
  return events.reduce(
    (state, event) => {
      const next = actor.step(state as never, event);
      if (next === undefined) throw new Error(`unexpected ${JSON.stringify(event)}`);
      return next.state as History<RegisterOp, RegisterResult>;
    },
    actor.initial as History<RegisterOp, RegisterResult>,
  );
};

describe('the history that a model keeps', () => {
  it('is the same however overlapping operations are interleaved', () => {
    const one = kept(registerHistory('a: write 1\n b: read\n a → ok\n b → 0'));
    const other = kept(registerHistory('b: read\n a: write 1\n b → 0\n a → ok'));
    expect(one).toEqual(other);
  });

  it('is another one when one operation returned before the other was invoked', () => {
    const overlapping = kept(registerHistory('a: write 1\n b: read\n a → ok\n b → 0'));
    const apart = kept(registerHistory('a: write 1\n a → ok\n b: read\n b → 0'));
    expect(apart).not.toEqual(overlapping);
    expect(linearizability(register).holds(overlapping)).toBe(true);
    expect(linearizability(register).holds(apart)).toBe(false);
  });

  it('keeps what overlaps what, whatever the history', () => {
    const moves = fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 5 })), {
      maxLength: 24,
    });
    fc.assert(
      fc.property(moves, (list) => {
        const open = new Set<number>();
        const events = list.map(([process, dice]): Event => {
          if (!open.delete(process)) {
            open.add(process);
            return { type: 'invoke', process, operation: { write: dice } };
          }
          return dice === 0 ? { type: 'fail', process } : { type: 'return', process, result: 'ok' };
        });
        const overlaps = (some: readonly Event[]) => {
          const seen = new Map<string, number>();
          const named = callsOf(some).map((call) => {
            const count = (seen.get(call.process) ?? 0) + 1;
            seen.set(call.process, count);
            return {
              name: `${call.process}.${count} ${JSON.stringify([call.operation, call.result])}`,
              call,
            };
          });
          return named
            .flatMap((a) => named.map((b) => `${a.name} ${b.name} ${inRealTime(a.call, b.call)}`))
            .toSorted();
        };
        expect(overlaps(eventsOf(kept(events)))).toEqual(overlaps(events));
      }),
      { numRuns: 300, seed: 5 },
    );
  });

  it('does not expect an answer to nothing, or a second question', () => {
    expect(() => kept(registerHistory('a → ok'))).toThrow(/unexpected/);
    expect(() => kept(registerHistory('a: read\n a: read'))).toThrow(/unexpected/);
  });

  it('fails a check with the shortest way to it', () => {
    const tester = linearizability(register);
    const steps = registerHistory('a: write 1\n a → ok\n b: read\n b → 0\n b: read\n b → 1');
    const system = defineSystem({
      actors: {
        script: {
          initial: 0,
          step: (at: number) => ({
            state: at + 1,
            outputs: [{ tell: 'history', event: steps[at] as Event }],
          }),
          choices: (at: number) => (at < steps.length ? [{ event: { type: 'next' } }] : []),
        } as never,
        history: tester.history,
      },
      route: nothing,
    });
    const { violation } = check(system, { always: { linearizable: tester.always('history') } });
    expect(violation?.property).toBe('linearizable');
    expect(violation?.steps).toHaveLength(4);
  });
});
