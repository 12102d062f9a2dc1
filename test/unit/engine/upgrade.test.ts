// Upgrades of a durable machine: a pause that may last so long, whose budget outlives a crash.
import { describe, expect, it } from 'vitest';
import { assign, setup } from 'xstate';
import { checkUpgrade, type AnyDurable, type Durable } from '../../../src/testing/index.ts';

interface Kept {
  readonly state: 'open' | 'paused' | 'over';
  readonly spentMs: number;
  readonly pauses: number;
}
interface Context {
  readonly control: { readonly at: Kept['state']; readonly pauses: number };
  readonly ledger: { readonly spentMs: number; readonly limitMs: number };
}
type Event = { type: 'pause' | 'resume' | 'knock' } | { type: 'spent'; ms: number };

const gate = setup({
  types: {} as { context: Context; input: Kept; events: Event },
  actions: {
    open: assign({ control: ({ context }) => ({ ...context.control, at: 'open' as const }) }),
    pause: assign({
      control: ({ context: { control } }) => ({
        at: 'paused' as const,
        pauses: Math.min(3, control.pauses + 1),
      }),
    }),
    spend: assign({
      ledger: ({ context: { ledger }, event }) =>
        event.type === 'spent'
          ? { ...ledger, spentMs: Math.min(ledger.limitMs, ledger.spentMs + event.ms) }
          : ledger,
    }),
    end: assign({ control: ({ context }) => ({ ...context.control, at: 'over' as const }) }),
  },
  guards: {
    wasOpen: ({ context }) => context.control.at === 'open',
    wasPaused: ({ context }) => context.control.at === 'paused',
    wasOver: ({ context }) => context.control.at === 'over',
  },
  delays: { budget: ({ context: { ledger } }) => ledger.limitMs - ledger.spentMs },
}).createMachine({
  id: 'gate',
  context: ({ input }) => ({
    control: { at: input.state, pauses: input.pauses },
    ledger: { spentMs: input.spentMs, limitMs: 300 },
  }),
  initial: 'starting',
  states: {
    starting: {
      always: [
        { guard: 'wasOpen', target: 'open' },
        { guard: 'wasPaused', target: 'paused' },
        { guard: 'wasOver', target: 'over' },
      ],
    },
    open: { entry: 'open', on: { pause: { target: 'paused', actions: 'pause' }, knock: {} } },
    paused: { on: { resume: 'open', spent: { actions: 'spend' } }, after: { budget: 'over' } },
    over: { type: 'final', entry: 'end' },
  },
});

const old: Durable<typeof gate, Kept> = {
  machine: gate,
  record: ({ control, ledger }) => ({ state: control.at, spentMs: ledger.spentMs, pauses: control.pauses }),
  input: (record) => record ?? { state: 'open', spentMs: 0, pauses: 0 },
  examples: [{ type: 'pause' }, { type: 'resume' }, { type: 'knock' }, { type: 'spent', ms: 100 }],
};
const versions = (next: Partial<Durable<typeof gate, Kept>>) =>
  checkUpgrade(old as unknown as AnyDurable, { ...old, ...next } as unknown as AnyDurable);

/** The states of the config that `change` makes of the old one. */
const rebuilt = (change: (config: { states: Record<string, object> }) => object): typeof gate =>
  Reflect.construct(gate.constructor, [
    { ...gate.config, ...change(gate.config as never) },
    gate.implementations,
  ]) as typeof gate;

describe('an upgrade that keeps what it was given', () => {
  it('finds every record that a crash can leave, and starts a legal actor from each', () => {
    const { old: explored, new: after, failed } = versions({});
    expect(failed).toEqual([]);
    // Paused or not, three pauses counted at most, four budgets consumed: those that can come together.
    const records = [...explored.records.values()] as Kept[];
    const expected: string[] = [];
    for (const state of ['open', 'paused', 'over'] as const) {
      for (const pauses of [0, 1, 2, 3]) {
        for (const spentMs of [0, 100, 200, 300]) {
          if (pauses === 0 && (state !== 'open' || spentMs > 0)) continue;
          expected.push(JSON.stringify({ state, spentMs, pauses }));
        }
      }
    }
    expect(records.map((record) => JSON.stringify(record)).sort()).toEqual(expected.sort());
    expect(explored).toMatchObject({ extent: 'complete', states: after.states });
  });

  it('says so when there is more than it may explore', () => {
    const bounded = checkUpgrade(old as unknown as AnyDurable, old as unknown as AnyDurable, {
      maxStates: 5,
    });
    expect(bounded.old).toMatchObject({ extent: 'limited', states: 5 });
  });

  it('tries the events that the machine names when it is given none', () => {
    const found = checkUpgrade(
      { ...old, examples: undefined } as unknown as AnyDurable,
      old as unknown as AnyDurable,
    );
    const spent = [...found.old.records.values()].map((record) => (record as Kept).spentMs);
    // Without a payload nothing sensible is spent: NaN is what the report is then about.
    expect(spent.some(Number.isNaN)).toBe(true);
    expect(found.failed).toContainEqual(
      expect.objectContaining({ what: 'record.spentMs is NaN, which a file cannot give back' }),
    );
  });
});

describe('an upgrade that forgot the old records is told which, why, and what to do', () => {
  const of = (failed: readonly { record: unknown }[], state: string) =>
    failed.filter(({ record }) => (record as Kept).state === state).length;

  it('when it dropped a state', () => {
    const machine = rebuilt(({ states }) => ({
      states: {
        ...states,
        starting: {
          always: [
            { guard: 'wasOpen', target: 'open' },
            { guard: 'wasOver', target: 'over' },
          ],
        },
      },
    }));
    const input = (record: Kept | undefined) => record ?? { state: 'open' as const, spentMs: 0, pauses: 0 };
    // The new version itself never leaves `paused` behind.
    const record: typeof old.record = ({ control, ledger }) => ({
      state: control.at === 'paused' ? 'open' : control.at,
      spentMs: ledger.spentMs,
      pauses: control.pauses,
    });
    const { failed } = versions({ machine, input, record });
    expect(failed).toHaveLength(12);
    expect(of(failed, 'paused')).toBe(12);
    expect(failed[0]).toMatchObject({
      record: { state: 'paused', spentMs: 0, pauses: 1 },
      what: 'the actor rests in starting, where nothing can happen any more',
      remedy: expect.stringContaining('translate states that were dropped'),
    });
  });

  it('when a dropped state leaves it where only a stop is heard', () => {
    const machine = rebuilt(({ states }) => ({
      states: {
        ...states,
        starting: {
          always: [
            { guard: 'wasOpen', target: 'open' },
            { guard: 'wasOver', target: 'over' },
          ],
          on: { knock: 'over' },
        },
      },
    }));
    const record: typeof old.record = ({ control, ledger }) => ({
      state: control.at === 'paused' ? 'open' : control.at,
      spentMs: ledger.spentMs,
      pauses: control.pauses,
    });
    const { failed } = versions({ machine, record });
    expect(failed).toHaveLength(12);
    expect(failed[0]?.what).toBe(
      'the actor stays in starting, which actors of the new version pass at once: no guard of it holds',
    );
  });

  it('when it renamed a field', () => {
    const input = (record: Kept | undefined) => {
      const renamed = record as unknown as
        | { state: Kept['state']; usedMs: number; pauses: number }
        | undefined;
      return renamed === undefined
        ? { state: 'open' as const, spentMs: 0, pauses: 0 }
        : { state: renamed.state, spentMs: renamed.usedMs, pauses: renamed.pauses };
    };
    const record = (({ control, ledger }: Context) => ({
      state: control.at,
      usedMs: ledger.spentMs,
      pauses: control.pauses,
    })) as unknown as typeof old.record;
    const { old: explored, failed } = versions({ input, record });
    expect(failed).toHaveLength(explored.records.size);
    expect(failed[0]).toMatchObject({
      what: 'context.ledger.spentMs is undefined; in actors of the new version it is a number',
      remedy: expect.stringContaining('it was renamed'),
    });
  });

  it('when its input throws on some', () => {
    const input = (record: Kept | undefined) => {
      if (record?.pauses === 3) throw new RangeError('at most 2 pauses');
      return record ?? { state: 'open' as const, spentMs: 0, pauses: 0 };
    };
    // Its own actors count to two.
    const machine = gate.provide({
      actions: {
        pause: assign({
          control: ({ context: { control } }) => ({
            at: 'paused' as const,
            pauses: Math.min(2, control.pauses + 1),
          }),
        }),
      },
    });
    const { failed } = versions({ input, machine });
    expect(failed.every(({ record }) => (record as Kept).pauses === 3)).toBe(true);
    expect(failed).toHaveLength(12);
    expect(failed[0]?.what).toBe('input(record) of the new version throws RangeError: at most 2 pauses');
  });

  it('when an old record crashes its start, or makes a delay that is none', () => {
    const crashing = gate.provide({
      guards: {
        wasOver: () => {
          throw new Error('no such end');
        },
      },
    });
    const keepsNoEnd: typeof old.record = ({ control, ledger }) => ({
      state: control.at === 'over' ? 'open' : control.at,
      spentMs: ledger.spentMs,
      pauses: control.pauses,
    });
    expect(versions({ machine: crashing, record: keepsNoEnd }).failed[0]).toMatchObject({
      record: { state: 'over' },
      what: 'the new version crashes when it starts: Error: no such end',
    });
    const shorter = gate.provide({ delays: { budget: ({ context }) => 250 - context.ledger.spentMs } });
    expect(
      versions({ machine: shorter }).failed.map(({ record, what }) => [(record as Kept).spentMs, what]),
    ).toEqual([1, 2, 3].map(() => [300, 'the new version sets delay budget to -50 ms']));
  });

  it('when the user’s own law is broken', () => {
    const legal = ({ control }: Context) =>
      control.pauses > 2 ? `${control.pauses} pauses are too many` : undefined;
    const { failed } = versions({ legal });
    expect(failed[0]).toMatchObject({
      record: { pauses: 3 },
      what: expect.stringMatching(
        /^legal\(\) of the new version refuses the actor in \w+: 3 pauses are too many$/,
      ),
    });
  });

  it('when the old records are no plain data', () => {
    const record = (() => ({ since: new Date(0) })) as unknown as typeof old.record;
    const dated = {
      ...old,
      record,
      input: () => ({ state: 'open', spentMs: 0, pauses: 0 }),
    } as unknown as AnyDurable;
    expect(checkUpgrade(dated, dated).failed).toMatchObject([
      { what: 'record.since is a Date, which a file cannot give back' },
    ]);
  });

  it('and a version that fails on its own is named', () => {
    const input = (record: Kept | undefined) => {
      if (record?.state === 'over') throw new Error('never again');
      return record ?? { state: 'open' as const, spentMs: 0, pauses: 0 };
    };
    expect(() => versions({ input })).toThrow(
      /^the new version of machine gate cannot start from {"state":"over".*never again/,
    );
  });
});
