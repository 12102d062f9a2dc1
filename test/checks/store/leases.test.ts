// A lease and its holder over a link that loses, copies and reorders, explored to the end in ticks of a clock: four to
// live, a margin of one, a keepalive each tick, sent again a tick later. One message is in flight each way, with all its
// copies, and a store that is slow has two writes waiting, unless the title says otherwise.
import { describe, expect, it } from 'vitest';
import { keepaliveMachine } from '../../../machines/keepalive.ts';
import { leaseMachine } from '../../../machines/lease.ts';
import { leaves } from '../../machines/machines.ts';
import { closed } from '../systems.ts';
import { endsInTheEnd, explore, reached } from './leases.ts';

const link = { capacity: 1 };
/** A record after each second tick. */
const times = { checkpoint: 2 };

describe('a holder has given up before the store gives its place to another, and a lease ends with its keys', () => {
  it('whatever the link loses, copies or delays', () => {
    expect(closed(explore({ link }))).toEqual({ complete: true, states: 2_468 });
  });

  it('whatever it reorders, too (two messages in flight each way)', () => {
    expect(closed(explore({ link: { capacity: 2 } }))).toEqual({ complete: true, states: 19_288 });
  });

  it('whatever the store fails at, or does without knowing (two such writes)', () => {
    expect(closed(explore({ link, budgets: { fail: 2 } }))).toEqual({ complete: true, states: 21_368 });
  });

  it('when the store crashes and forgets all but its records (two crashes)', () => {
    expect(closed(explore({ link, budgets: { crash: 2 } }))).toEqual({ complete: true, states: 14_305 });
  });

  it('when what was written down of it is less than a keepalive promises (one crash, one failed write)', () => {
    const budgets = { crash: 1, fail: 1 };
    expect(closed(explore({ link, times, budgets }))).toEqual({ complete: true, states: 52_078 });
  });

  it('when it puts keys up to the last moment (two keys)', () => {
    expect(closed(explore({ link, budgets: { put: 2 } }))).toEqual({ complete: true, states: 8_979 });
  });

  it('when it gives it back, or dies', () => {
    const budgets = { release: 1, death: 1 };
    expect(closed(explore({ link, budgets }))).toEqual({ complete: true, states: 7_980 });
  });

  it('and every state of both is among what is explored', () => {
    const states = [...leaves(leaseMachine), ...leaves(keepaliveMachine)];
    // In these no time passes here: what they wait for comes in the same turn, or they are the end of the actor.
    const passed = ['starting', 'holding.sending', 'expired', 'revoked'];
    const sometimes = reached(states.filter((leaf) => !passed.includes(leaf)));
    const options = { link: { ...link, duplicating: false }, times, budgets: { fail: 1, release: 1 } };
    expect(explore(options, { sometimes }).violation?.text).toBe(undefined);
  });

  it('when its clock loses a tick, with a margin of two', () => {
    const options = { link, times: { margin: 2 }, budgets: { drift: 1 } };
    expect(closed(explore(options))).toEqual({ complete: true, states: 4_665 });
  });
});

describe('a holder that sleeps', () => {
  it('is told by its clock that it is over, before it is (six ticks of sleep)', () => {
    expect(closed(explore({ link, budgets: { pause: 6 } }))).toEqual({ complete: true, states: 29_194 });
  });
});

describe('a lease that nobody keeps alive', () => {
  it('ends in its time, and restarts hide no more of it than lies between two records (two crashes)', () => {
    const options = { link, times, store: 'prompt', budgets: { crash: 2, death: 1 } } as const;
    expect(closed(explore(options))).toEqual({ complete: true, states: 7_627 });
  });

  it('ends on every fair run, though a write fails (one failed write)', () => {
    const budgets = { death: 1, fail: 1 };
    expect(closed(explore({ link, budgets }, endsInTheEnd))).toEqual({ complete: true, states: 20_319 });
  });

  it('ends on every fair run, though the store crashes (one crash)', () => {
    const budgets = { death: 1, crash: 1 };
    expect(closed(explore({ link, budgets }, endsInTheEnd))).toEqual({ complete: true, states: 13_951 });
  });
});

describe('a lease that somebody else revokes', () => {
  it('goes at once, and its holder gives up on every fair run', () => {
    const budgets = { revoke: 1 };
    expect(closed(explore({ link, budgets }, endsInTheEnd))).toEqual({ complete: true, states: 5_149 });
  });
});
