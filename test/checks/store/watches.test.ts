// A watch over an engine, explored to the end. Feed, history and mailbox are as slow as they like, against each other too;
// one change is kept while history is read, two may wait for the consumer, and a page of history is one change: the least
// that can go wrong in every way.
import { describe, expect, it } from 'vitest';
import { watchMachine } from '../../../machines/watch.ts';
import type { View } from '../../../src/checker/index.ts';
import { leaves } from '../../machines/machines.ts';
import { closed } from '../systems.ts';
import { WATCH } from './watch-shell.ts';
import { explore, knowsInTheEnd } from './watches.ts';

describe('a watch tells every change once and in order, or says why it ended', () => {
  it('from now on (five changes)', () => {
    expect(closed(explore({ budgets: { change: 5 } }))).toEqual({ complete: true, states: 3_134 });
  });

  it('from a revision of the past (three changes after the two that were)', () => {
    expect(closed(explore({ start: 1, budgets: { change: 3 } }))).toEqual({ complete: true, states: 1_391 });
  });

  it('from a revision that is still to come (four changes)', () => {
    expect(closed(explore({ start: 4, budgets: { change: 4 } }))).toEqual({ complete: true, states: 1_044 });
  });

  it('across a link that breaks (three changes, two cuts)', () => {
    const budgets = { change: 3, cut: 2 };
    expect(closed(explore({ budgets }))).toEqual({ complete: true, states: 11_234 });
  });

  it('across a compaction (from the past; two changes, one cut, one compaction)', () => {
    const budgets = { change: 2, cut: 1, compact: 1 };
    expect(closed(explore({ start: 1, budgets }))).toEqual({ complete: true, states: 24_026 });
  });

  it('through an engine that does not answer in time (two changes, one cut, two time-outs)', () => {
    const budgets = { change: 2, cut: 1, timeout: 2 };
    expect(closed(explore({ budgets }))).toEqual({ complete: true, states: 13_184 });
  });

  it('when it is cancelled twice, when its client vanishes, when the engine stops (two changes, one cut)', () => {
    const budgets = { change: 2, cut: 1, cancel: 2, vanish: 1, end: 1 };
    expect(closed(explore({ budgets }))).toEqual({ complete: true, states: 356_038 });
  });

  it('and every state is among what is explored', () => {
    const sometimes = Object.fromEntries(
      leaves(watchMachine).map((leaf) => [leaf, (view: View) => view.actor(WATCH).in(leaf)]),
    );
    const budgets = { change: 3, cut: 1, cancel: 1 };
    expect(explore({ budgets }, { sometimes }).violation?.text).toBe(undefined);
  });

  it('on every fair run (two changes, one of each fault)', () => {
    const budgets = { change: 2, cut: 1, compact: 1, timeout: 1 };
    expect(closed(explore({ budgets }, knowsInTheEnd))).toEqual({ complete: true, states: 17_581 });
  });
});
