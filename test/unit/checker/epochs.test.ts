import { describe, expect, it } from 'vitest';
import { canonical, isDense, rank } from '../../../src/checker/epochs.ts';
import { check, defineSystem, model, type SystemDefinition } from '../../../src/checker/index.ts';
import { announced, nothing, ticker } from './toys.ts';

describe('epochs', () => {
  it('close a space that a plain counter leaves open', () => {
    const counting = (field: string) =>
      defineSystem({ actors: { ticker: { machine: ticker(field) } }, route: nothing });
    // none yet, or some
    expect(check(counting('epoch'), { maxStates: 100 })).toEqual({
      states: 2,
      generated: 2,
      depth: 1,
      complete: true,
    });
    expect(check(counting('dialEpoch'), { maxStates: 100 })).toMatchObject({ states: 2, complete: true });
    expect(check(counting('count'), { maxStates: 100 })).toMatchObject({ complete: false });
  });

  /** A ticker that announces its epoch on a channel that holds one message, to a listener that keeps the newest. */
  const announcing = (epochFamily?: SystemDefinition['epochFamily']): SystemDefinition => {
    const listener = model<{ newestEpoch: number }>({
      initial: { newestEpoch: 0 },
      step: (state, event) => {
        const heard = event['epoch'] as number;
        return heard < state.newestEpoch ? undefined : { state: { newestEpoch: heard } };
      },
    });
    return defineSystem({
      actors: { ticker: { machine: ticker('epoch'), effects: announced as never }, listener },
      channels: { wire: { lossy: true, capacity: 1 } },
      route: (_, { payload }) => [{ send: { type: 'tick', ...payload }, on: 'wire' }],
      deliver: (_, message) => [{ to: 'listener', event: message }],
      ...(epochFamily === undefined ? {} : { epochFamily }),
    });
  };

  it('are renumbered over actors and channels together, so that their order stays', () => {
    // own epoch e, in flight m (or nothing), newest heard n: n < m when there is one, and n <= e, m <= e
    // nothing in flight: e = 0; n = e; 0 = n < e; 0 < n < e
    // in flight: m = e or m < e, each with n = 0 or 0 < n < m
    const result = check(announcing(), { maxStates: 1_000 });
    expect(result).toMatchObject({ complete: true, states: 8 });
  });

  it('of separate families forget their order, so only what nobody compares may be separated', () => {
    // each of the three is none or some: nothing yet; sent, lost or heard once; sent again after that
    const result = check(
      announcing((_field, _holder, part) => part),
      { maxStates: 1_000 },
    );
    expect(result).toMatchObject({ complete: true, states: 5 });
  });

  it('that jump too far are refused with the reason', () => {
    const jumper = model<{ epoch: number }>({
      initial: { epoch: 0 },
      step: ({ epoch }) => ({ state: { epoch: epoch + 40 } }),
      choices: () => [{ event: { type: 'jump' } }],
    });
    expect(() => check(defineSystem({ actors: { jumper }, route: nothing }))).toThrow(
      /jumper holds epoch 40; epochs are whole/,
    );
  });
});

describe('renumbering', () => {
  it('keeps 0 and counts from 1', () => {
    const mask = (1 << 0) | (1 << 2) | (1 << 5) | (1 << 31);
    expect([0, 2, 5, 31].map((epoch) => rank(mask, epoch))).toEqual([0, 1, 2, 3]);
  });

  it('is not needed without gaps', () => {
    expect([0b0, 0b1, 0b10, 0b111, 0b100, 0b1010].map(isDense)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});

describe('the canonical text', () => {
  it('is the same for equal values, whatever the order of their fields', () => {
    expect(canonical({ b: [1, null], a: { d: 'x', c: undefined } })).toBe(
      canonical({ a: { d: 'x' }, b: [1, null] }),
    );
    expect(canonical({ a: 1 })).not.toBe(canonical({ a: '1' }));
  });

  it('says where a value is not plain data', () => {
    expect(() => canonical({ a: [new Map()] }, 'the context of node')).toThrow(
      /the context of node\.a\[0\] is not plain data/,
    );
  });
});
