// Writes on their way into an engine, explored to the end: whatever happens, each waiter is freed once and is told the
// truth. Both time-outs may pass at any moment, so an engine that stalls is always among what is explored.
import { describe, expect, it } from 'vitest';
import { proposalMachine } from '../../../machines/proposal.ts';
import type { View } from '../../../src/checker/index.ts';
import { leaves } from '../../machines/machines.ts';
import { twin } from '../twin.ts';
import { closed } from '../systems.ts';
import { failure } from './failure.ts';
import { endInTheEnd, explore, type ProposalsOptions } from './proposals.ts';

const each = { cancel: 1, break: 1, end: 1, return: 1, copy: 1 } as const;
const THREE = ['p1', 'p2', 'p3'];

describe('writes end once, and their outcome is honest', () => {
  it('whatever times out (three writes)', () => {
    expect(closed(explore({ names: THREE }))).toEqual({ complete: true, states: 462 });
  });

  it('whatever else happens (two writes; two of each fault, the engine stopped once)', () => {
    const budgets = { cancel: 2, break: 2, end: 1, return: 2, copy: 2 };
    expect(closed(explore({ budgets }))).toEqual({ complete: true, states: 93_304 });
  });

  it('whatever else happens (three writes; one of each fault)', () => {
    expect(closed(explore({ names: THREE, budgets: each }))).toEqual({ complete: true, states: 122_811 });
  });

  it('through an engine that takes one at a time and gives back (two writes, given back any number of times)', () => {
    const options: ProposalsOptions = { window: 1, ever: ['return'], budgets: { copy: 1 } };
    expect(closed(explore(options))).toEqual({ complete: true, states: 470 });
  });

  it('and every state is among what is explored', () => {
    const sometimes = Object.fromEntries(
      leaves(proposalMachine).map((leaf) => [leaf, (view: View) => view.actor('p1').in(leaf)]),
    );
    const { violation } = explore({ budgets: each }, { sometimes, symmetry: false });
    expect(violation?.text).toBe(undefined);
  });

  it('on every fair run (two writes; one cut, one given back, one cancelled)', () => {
    const budgets = { break: 1, return: 1, cancel: 1 };
    expect(closed(explore({ budgets }, endInTheEnd()))).toEqual({ complete: true, states: 1_960 });
  });
});

describe('a broken twin', () => {
  it('that settles twice frees its waiter twice', () => {
    const machine = twin(proposalMachine, ({ states }) => {
      states['succeeded']!.entry = ['settle', 'settle'];
    });
    expect(failure(explore({ machine }))).toEqual([
      'always',
      'a waiter is freed once, when its write ends',
      4,
    ]);
  });

  it('that does not settle when it is cut off leaves its waiter alone', () => {
    const machine = twin(proposalMachine, ({ states }) => {
      delete states['lost']!.entry;
    });
    expect(failure(explore({ machine, budgets: { break: 1 } }))).toEqual([
      'always',
      'a waiter is freed once, when its write ends',
      4,
    ]);
  });

  it('that takes every answer for one to the present submission calls what is applied not started', () => {
    const machine = proposalMachine.provide({ guards: { current: () => true } });
    expect(failure(explore({ machine, budgets: { return: 1, copy: 1 } }))).toEqual([
      'always',
      'what was not started is never applied',
      8,
    ]);
  });

  it('that withdraws what the engine has lies when it is cancelled', () => {
    const machine = twin(proposalMachine, ({ states }) => {
      states['submitted']!.on['cancel.requested'] = { target: 'cancelled', actions: 'withdraw' };
    });
    expect(failure(explore({ machine, budgets: { cancel: 1 } }))).toEqual([
      'always',
      'what was not started is never applied',
      4,
    ]);
  });

  it('that times out without leaving the queue stays in it', () => {
    const machine = twin(proposalMachine, ({ states }) => {
      states['queued']!.after['proposeTimeLeft'] = 'timed_out';
    });
    expect(failure(explore({ machine }))).toEqual(['always', 'what ended waits in no queue', 2]);
  });

  it('that takes the engine’s word for its deed succeeds with what is not applied', () => {
    const machine = twin(proposalMachine, ({ states }) => {
      states['queued']!.on['submission.taken'] = 'succeeded';
    });
    expect(failure(explore({ machine }))).toEqual(['always', 'what succeeded was applied', 2]);
  });

  it('that fails when it is cut off says that nothing was applied, and something was', () => {
    const machine = twin(proposalMachine, ({ states }) => {
      states['submitted']!.on['submission.vanished'] = 'failed';
    });
    expect(failure(explore({ machine, budgets: { break: 1 } }))).toEqual([
      'always',
      'what failed was not applied',
      4,
    ]);
  });

  it('without the time-out for getting done waits for ever', () => {
    const machine = twin(proposalMachine, ({ states }) => {
      states['submitted']!.after = {};
    });
    expect(failure(explore({ machine, budgets: { break: 1 } }))).toEqual([
      'deadlock',
      'something is owed, and nothing can happen',
      6,
    ]);
    const { violation } = explore({ machine, budgets: { break: 1 } }, endInTheEnd());
    expect([violation?.kind, violation?.property]).toEqual(['eventually', 'every write ends']);
  });

  it('without the time-out for getting in waits for ever, when nothing tells it that the engine ended', () => {
    const machine = twin(proposalMachine, ({ states }) => {
      states['queued']!.after = {};
      states['queued']!.on['engine.ended'] = {};
    });
    expect(failure(explore({ machine, budgets: { end: 1 } }))).toEqual([
      'deadlock',
      'something is owed, and nothing can happen',
      5,
    ]);
  });

  it('whose shell tries again what it was cut off from applies it twice, or calls it not started', () => {
    const rules = { broken: 'submission.returned' } as const;
    expect(failure(explore({ rules, budgets: { break: 1 } }))).toEqual([
      'always',
      'what was not started is never applied',
      5,
    ]);
  });
});
