// Single-decree Paxos, three servers and two clients that put, then get, compared with the states that Stateright counts
// (stateright/stateright, examples/paxos.rs): 16 668, the history of its linearizability tester included.
import { describe, expect, it } from 'vitest';
import { check } from '../../../src/checker/index.ts';
import { agreement, paxosServers, validity, type PaxosOptions } from './paxos.ts';
import { exchanges, linearizable, putThenGet, registerSystem, valueChosen } from './register-clients.ts';

const system = (options: PaxosOptions = {}) => registerSystem(paxosServers(3, options), putThenGet(2));
const agrees = { agreement: agreement(3) };
const isValid = { validity: validity(3, ['A', 'B']) };

describe('single-decree Paxos', () => {
  it('has the 16 668 states of Stateright: servers agree on what was put, and clients see one register', () => {
    const always = { ...agrees, ...isValid, linearizable };
    const { complete, states } = check(system(), { always, sometimes: { valueChosen } });
    expect({ complete, states }).toEqual({ complete: true, states: 16_668 });
  });

  it('disagrees after ten steps when an acceptor forgets its promise', () => {
    const { violation } = check(system({ promises: 'forgotten' }), { always: agrees });
    expect(violation?.property).toBe('agreement');
    expect(exchanges(violation)).toEqual([
      'c0 → s0: put A',
      's0 → s1: prepare',
      's1 → s0: promise',
      'c1 → s1: put B',
      's1 → s2: prepare',
      // s2 has promised s1 to take nothing of s0 any more.
      's0 → s2: accept',
      's2 → s0: accepted',
      's2 → s1: promise',
      's1 → s2: accept',
      's2 → s1: accepted',
    ]);
  });

  it('disagrees after ten steps when a proposer proposes its own value whatever was accepted', () => {
    const { violation } = check(system({ values: 'own' }), { always: agrees });
    expect(violation?.property).toBe('agreement');
    expect(violation?.steps).toHaveLength(10);
  });

  it('shows clients two registers then, after seventeen steps', () => {
    const { violation } = check(system({ values: 'own' }), { always: { linearizable } });
    expect(violation?.property).toBe('linearizable');
    expect(violation?.steps).toHaveLength(17);
    expect(exchanges(violation)?.filter((step) => /ok/.test(step))).toEqual([
      's0 → c0: put.ok',
      's1 → c1: put.ok',
      's1 → c0: get.ok B',
      's2 → c1: get.ok A',
    ]);
  });

  it('decides after five steps what nobody put when a proposer invents a value', () => {
    const { violation } = check(system({ values: 'invented' }), { always: isValid });
    expect(violation?.property).toBe('validity');
    expect(exchanges(violation)).toEqual([
      'c0 → s0: put A',
      's0 → s1: prepare',
      's1 → s0: promise',
      's0 → s1: accept',
      's1 → s0: accepted',
    ]);
  });
});
