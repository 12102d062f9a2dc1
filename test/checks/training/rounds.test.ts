// round × gate × sessions, explored to the end: what may happen in training when links break, processes die and calls end
// late. Faults that a title does not name do not happen; heartbeats are off, since a link that breaks is one that was silent.
import { describe, expect, it } from 'vitest';
import { leaves } from '../../machines/machines.ts';
import { gateMachine } from '../../../machines/gate.ts';
import { roundMachine } from '../../../machines/round.ts';
import type { CheckOptions, Predicate } from '../../../src/checker/index.ts';
import { closed } from '../systems.ts';
import { explore, inTheEnd, type RoundsOptions } from './rounds.ts';

const one = { minNodes: 1 } as const;
const three = { nodes: ['n1', 'n2', 'n3'], minNodes: 2 } as const;
const mortal = { budget: 'at any time' } as const;

describe('every round is committed at most once, with updates of its own attempt, and training can always end', () => {
  it.each<[string, RoundsOptions, number]>([
    ['one round of two nodes, two cuts, one crash of the hub', { budgets: { cut: 2, crash: 1 } }, 48_574],
    [
      'two rounds of two nodes, one cut, one crash of the hub, one missed deadline',
      { rounds: 2, budgets: { cut: 1, crash: 1, deadline: 1 } },
      71_878,
    ],
    [
      'two rounds of one node or two, one cut, one crash of the hub, one write of unknown outcome',
      { ...one, rounds: 2, budgets: { cut: 1, crash: 1, unknown: 1 } },
      35_728,
    ],
    [
      'one round of two nodes, one death of a node, one missed deadline, one refused update',
      { budgets: { death: 1, deadline: 1, refusal: 1 } },
      28_711,
    ],
    ['one round of two nodes of three, one cut', { ...three, budgets: { cut: 1 } }, 3_244],
    ['one round of two nodes of three, one death of a node', { ...three, budgets: { death: 1 } }, 3_081],
  ])('%s', (_, options, states) => {
    expect(closed(explore(options))).toEqual({ complete: true, states });
  });
});

describe('whoever terminates it, and whenever, the model of the last commit is delivered', () => {
  it.each<[string, RoundsOptions, number]>([
    [
      'one round of two nodes, one cut, one write of unknown outcome',
      { ...mortal, budgets: { cut: 1, unknown: 1, request: 1 } },
      2_180,
    ],
    [
      'one round of one node or two, one cut, one crash of the hub',
      { ...mortal, ...one, budgets: { cut: 1, crash: 1, request: 1 } },
      16_742,
    ],
  ])('%s', (_, options, states) => {
    expect(closed(explore(options))).toEqual({ complete: true, states });
  });
});

describe('on every fair run', () => {
  it.each<[string, RoundsOptions, CheckOptions, number]>([
    [
      'pauses, races of reconnects and resumes come to an end, and training is completed (one cut, one death)',
      { budgets: { cut: 1, death: 1 } },
      inTheEnd(),
      13_007,
    ],
    [
      'two rounds are completed (one death, one crash of the hub, one missed deadline)',
      { rounds: 2, budgets: { crash: 1, death: 1, deadline: 1 } },
      inTheEnd(),
      65_822,
    ],
    [
      'training ends, if the budget of a pause may be spent (one death, one crash, one write of unknown outcome)',
      { ...mortal, budgets: { crash: 1, death: 1, unknown: 1 } },
      inTheEnd('at any time'),
      8_505,
    ],
  ])('%s', (_, options, more, states) => {
    expect(closed(explore(options, more))).toEqual({ complete: true, states });
  });
});

it('every state of both machines is met, but for the one that is passed within a turn', () => {
  const states = [gateMachine, roundMachine].flatMap((machine) =>
    leaves(machine).map((path): [string, Predicate] => [path, (view) => view.actor(machine.id).in(path)]),
  );
  const sometimes = Object.fromEntries(states.filter(([path]) => path !== 'paused.measuring'));
  const options: RoundsOptions = { ...mortal, ...one, budgets: { cut: 1, crash: 1, request: 1, unknown: 1 } };
  const { complete, violation } = explore(options, { sometimes });
  expect([complete, violation?.property, Object.keys(sometimes).length]).toEqual([true, undefined, 17]);
});
