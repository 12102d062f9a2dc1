// The gate's budget in ticks of a clock (it gives up after 6, wavers for 1, gathers for 2, and records each 5), explored to
// the end, and broken twins that must fail. Nodes come and go any number of times.
import { describe, expect, it } from 'vitest';
import { gateMachine } from '../../../machines/gate.ts';
import { failure } from '../store/failure.ts';
import { closed } from '../systems.ts';
import { twin } from '../twin.ts';
import { type BudgetOptions, explore } from './budget.ts';

const LONGER = 'it is never paused for longer than its budget';
const SHORTER = 'it never gives up before its budget is spent';
const OPEN = 'it is open no longer than the debounce after it lost the quorum';

describe('a pause lasts as long as its budget, to the tick, whatever joins and leaves', () => {
  it.each<[string, BudgetOptions, number]>([
    ['for each pause, two nodes', {}, 330],
    ['for each pause, two of three nodes', { nodes: ['n1', 'n2', 'n3'], minNodes: 2 }, 984],
    ['for all pauses, two nodes', { budget: 'cumulative' }, 1_829],
    ['for each pause, two nodes, one crash', { crashes: 1 }, 965],
    ['for all pauses, two nodes, one crash', { budget: 'cumulative', crashes: 1 }, 13_553],
  ])('%s', (_, options, states) => {
    expect(closed(explore(options))).toEqual({ complete: true, states });
  });
});

describe('a broken twin', () => {
  it('that begins the pause anew when a node joins is paused for longer', () => {
    const gate = twin(gateMachine, ({ states }) => {
      states['paused']!.on['node.joined'] = {
        target: 'paused',
        reenter: true,
        actions: ['admit', 'sendSync'],
      };
    });
    expect(failure(explore({ gate }))).toEqual(['always', LONGER, 15]);
  });

  it('that begins it anew when a node leaves is paused for longer', () => {
    const gate = twin(gateMachine, ({ states }) => {
      states['paused']!.on['node.left'] = { target: 'paused', reenter: true, actions: 'dismiss' };
    });
    expect(failure(explore({ gate }))).toEqual(['always', LONGER, 15]);
  });

  it('that forgets its budget in a restart is paused for longer', () => {
    const gate = twin(gateMachine, ({ states }) => {
      states['starting']!.on['training.started'] = [
        { guard: 'wasOpen', target: 'paused', actions: ['settleBudget', 'startBudget'] },
        { target: 'gathering' },
      ];
    });
    expect(failure(explore({ gate, crashes: 1 }))).toEqual(['always', LONGER, 22]);
  });

  it('that never writes its budget down is paused for longer', () => {
    const gate = twin(gateMachine, ({ states }) => {
      delete states['paused']!.states['counting']!.after['budgetRecordInterval'];
    });
    expect(failure(explore({ gate, crashes: 1 }))).toEqual(['always', LONGER, 20]);
  });

  it('that lets what was spent in one pause count in the next, which has its own, gives up early', () => {
    const gate = twin(gateMachine, ({ states }) => {
      states['paused']!.on['node.synced'] = [
        { guard: 'completesQuorum', target: 'open', actions: ['measure', 'count'] },
        { guard: 'awaitsSync', actions: 'count' },
        { actions: 'noteStale' },
      ];
    });
    expect(failure(explore({ gate }))).toEqual(['always', SHORTER, 19]);
  });

  it('that does not measure when it opens gives later pauses more than all of them have', () => {
    const gate = twin(gateMachine, ({ states }) => {
      states['paused']!.on['node.synced'] = [
        { guard: 'completesQuorum', target: 'open', actions: ['settleBudget', 'count'] },
        { guard: 'awaitsSync', actions: 'count' },
        { actions: 'noteStale' },
      ];
    });
    expect(failure(explore({ gate, budget: 'cumulative' }))).toEqual(['always', LONGER, 19]);
  });

  it('whose debounce begins anew with every join that is not enough is open for longer', () => {
    const gate = twin(gateMachine, ({ states }) => {
      states['open']!.states['wavering']!.on['node.joined'] = {
        target: 'wavering',
        reenter: true,
        actions: ['admit', 'sendSync'],
      };
    });
    expect(failure(explore({ gate }))).toEqual(['always', OPEN, 8]);
  });
});
