// Registers, compared with the states that Stateright counts (stateright/stateright, examples/single-copy-register.rs and
// examples/linearizable-register.rs, network unordered and not duplicating). Its states hold the history of its
// linearizability tester, and ours hold the same one; what changes nothing stays in flight there and here.
import { describe, expect, it } from 'vitest';
import { check, type Channel } from '../../../src/checker/index.ts';
import {
  exchanges,
  linearizable,
  NOTHING,
  putThenGet,
  registerSystem,
  unordered,
  valueChosen,
  type Operation,
} from './register-clients.ts';
import { replicas, singleCopy } from './registers.ts';

const properties = { always: { linearizable }, sometimes: { valueChosen } };

describe('a register with one copy, two clients that put, then get', () => {
  const oneServer = () => registerSystem([singleCopy('s0')], putThenGet(2));
  const twoServers = () => registerSystem([singleCopy('s0'), singleCopy('s1')], putThenGet(2));

  it('has the 93 states of Stateright on one server, and is linearizable', () => {
    expect(check(oneServer(), properties)).toMatchObject({ complete: true, states: 93 });
  });

  it('has 62 states on two servers, of which Stateright sees 54 before it stops at the violation', () => {
    expect(check(twoServers())).toMatchObject({ complete: true, states: 62 });
    // Depth first or breadth first decides how many states are seen by then; the violation is as deep as there: 4 steps.
    const { violation } = check(twoServers(), properties);
    expect(violation?.property).toBe('linearizable');
    expect(exchanges(violation)).toEqual([
      'c0 → s0: put A',
      's0 → c0: put.ok',
      'c0 → s1: get',
      `s1 → c0: get.ok ${NOTHING}`,
    ]);
  });

  it('is no register any more when a put can arrive twice', () => {
    const kept: Channel = { order: 'unordered', delivered: 'kept', capacity: 64 };
    const { violation } = check(registerSystem([singleCopy('s0')], putThenGet(2), kept), properties);
    expect(violation?.property).toBe('linearizable');
    expect(exchanges(violation)).toEqual([
      'c0 → s0: put A',
      's0 → c0: put.ok',
      'c1 → s0: put B',
      's0 → c1: put.ok',
      'c0 → s0: get',
      's0 → c0: get.ok B',
      'c0 → s0: put A',
      'c1 → s0: get',
      's0 → c1: get.ok A',
    ]);
  });
});

describe('a replicated register, two clients that put, then get', () => {
  const twoServers = (network: Channel = unordered) => registerSystem(replicas(2), putThenGet(2), network);

  it('has the 544 states of Stateright on two servers, and is linearizable', () => {
    expect(check(twoServers(), properties)).toMatchObject({ complete: true, states: 544 });
  });

  it('has 82 states more when what is ignored arrives and is gone', () => {
    const taken: Channel = { ...unordered, ignored: 'taken' };
    expect(check(twoServers(taken), properties)).toMatchObject({ complete: true, states: 626 });
  });
});

describe('a replicated register on three servers', () => {
  const writerAndReader: Operation[][] = [[{ put: 'A' }], ['get', 'get']];
  const oneAfterTheOther: Operation[][] = [[{ put: 'A' }, { put: 'B' }, { put: 'C' }, { put: 'D' }, 'get']];

  it('is linearizable while one client puts and another one gets', () => {
    const system = registerSystem(replicas(3), [[{ put: 'A' }], ['get']]);
    expect(check(system, { always: { linearizable } })).toMatchObject({ complete: true, states: 11_372 });
  });

  it('shows a reader no older value after a newer one (all that happens within 11 steps)', () => {
    const system = registerSystem(replicas(3), writerAndReader);
    const { violation, states } = check(system, { always: { linearizable }, maxDepth: 11 });
    expect({ violation, states }).toEqual({ violation: undefined, states: 5_654 });
  });

  it('shows it one after these 11 steps when gets are not written back', () => {
    const broken = registerSystem(replicas(3, { gets: 'unrecorded' }), writerAndReader);
    const { violation } = check(broken, { always: { linearizable } });
    expect(exchanges(violation)).toEqual([
      'c0 → s0: put A',
      's0 → s1: query',
      's1 → s0: query.answered',
      'c1 → s1: get',
      's1 → s0: query',
      's0 → s1: query.answered',
      's1 → c1: get.ok A',
      'c1 → s2: get',
      's2 → s1: query',
      's1 → s2: query.answered',
      `s2 → c1: get.ok ${NOTHING}`,
    ]);
  });

  it('loses a value when servers do not ask for the highest number before they put', () => {
    const broken = registerSystem(replicas(3, { puts: 'unasked' }), oneAfterTheOther);
    const { violation } = check(broken, { always: { linearizable } });
    expect(violation?.property).toBe('linearizable');
    expect(violation?.steps).toHaveLength(22);
    expect(exchanges(violation)?.at(-1)).toBe('s1 → c0: get.ok C');
  });
});
