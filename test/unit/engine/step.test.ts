// The pure step: effects and delays as data, each payload from the context of its place.
import { assign, createMachine, setup } from 'xstate';
import { describe, expect, it } from 'vitest';
import { createStepper, delayName } from '../../../src/engine/index.ts';

const lamp = setup({
  types: {} as {
    context: { control: { epoch: number }; ledger: object };
    events: { type: 'press' | 'hold' | 'read' };
  },
  actions: {
    before: () => {},
    after: () => {},
    advance: assign({ control: ({ context: { control } }) => ({ epoch: control.epoch + 1 }) }),
  },
  guards: { never: () => false },
  delays: { glow: ({ context }) => 1_000 * context.control.epoch },
}).createMachine({
  id: 'lamp',
  context: { control: { epoch: 0 }, ledger: {} },
  initial: 'dark',
  states: {
    dark: {
      on: {
        press: { target: 'lit', actions: ['before', 'advance', 'after'] },
        hold: { guard: 'never', target: 'lit' },
      },
    },
    lit: { after: { glow: 'dark' }, on: { press: 'dark', read: {} } },
  },
});
const epochOf = ({ context }: { context: { control: { epoch: number } } }) => ({
  epoch: context.control.epoch,
});
const stepper = createStepper(lamp, { before: epochOf, after: epochOf } as never);

describe('a step', () => {
  it('computes each payload from the context at the place of its action, not from the final one', () => {
    const { effects } = stepper.step(stepper.start(undefined).snapshot, { type: 'press' });
    expect(effects).toEqual([
      { type: 'before', payload: { epoch: 0 } },
      { type: 'after', payload: { epoch: 1 } },
    ]);
  });

  it('answers the delays that begin and end, by the machine’s own names', () => {
    const lit = stepper.step(stepper.start(undefined).snapshot, { type: 'press' });
    const id = 'xstate.after.glow.lamp.lit';
    expect(lit.timers).toEqual([{ set: id, name: 'glow', delayMs: 1_000, event: { type: id } }]);
    expect(stepper.step(lit.snapshot, { type: 'press' }).timers).toEqual([{ cleared: id }]);
    expect(stepper.step(lit.snapshot, { type: id }).snapshot.value).toBe('dark');
  });

  it('changes nothing that it was given, and answers the same again', () => {
    const { snapshot } = stepper.start(undefined);
    const first = stepper.step(snapshot, { type: 'press' });
    expect([snapshot.value, snapshot.context]).toEqual(['dark', { control: { epoch: 0 }, ledger: {} }]);
    expect(stepper.step(snapshot, { type: 'press' })).toEqual(first);
  });

  it('calls an event unexpected when no transition takes it, and not when it is ignored on purpose', () => {
    const dark = stepper.start(undefined).snapshot;
    const lit = stepper.step(dark, { type: 'press' }).snapshot;
    expect(stepper.step(lit, { type: 'read' }).unexpected).toBe(false);
    expect(stepper.step(dark, { type: 'read' }).unexpected).toBe(true);
    expect(stepper.step(dark, { type: 'hold' }).unexpected).toBe(true);
  });

  it('throws what a machine’s own function throws', () => {
    const broken = createMachine(
      { context: {}, initial: 'a', states: { a: { on: { go: { actions: 'fail' } } } } },
      {
        actions: {
          fail: assign(() => {
            throw new Error('an assigner failed');
          }),
        },
      },
    );
    const broke = createStepper(broken);
    expect(() => broke.step(broke.start(undefined).snapshot, { type: 'go' })).toThrow('an assigner failed');
  });

  it('gives an action that has no payload function an empty payload', () => {
    const { effects } = createStepper(lamp).step(stepper.start(undefined).snapshot, { type: 'press' });
    expect(effects).toEqual([
      { type: 'before', payload: {} },
      { type: 'after', payload: {} },
    ]);
  });
});

describe('the name of a delay', () => {
  it.each([
    ['xstate.after.glow.lamp.lit', 'glow'],
    ['xstate.after.glow', 'glow'],
    ['glow', 'glow'],
  ])('of timer %s is %s', (id, name) => {
    expect(delayName(id)).toBe(name);
  });
});
