// Nodes that join at once, explored to the end, and broken twins that must fail. Where something is bounded, the title
// says what. Heartbeats and health checks are off: they begin after a join.
import { describe, expect, it } from 'vitest';
import { sessionMachine } from '../../machines/session.ts';
import type { CheckResult } from '../../src/checker/index.ts';
import type { FleetOptions } from './fleet.ts';
import { twin } from './twin.ts';
import { inTheEnd, join } from './joins.ts';
import { closed, joins } from './systems.ts';

const TWO = ['a', 'b'];
const THREE = ['a', 'b', 'c'];

describe('nodes that join at once, while the hub decides about each', () => {
  it('are each synced once and all online in the end (two nodes, two cuts)', () => {
    const options: FleetOptions = { ...joins, breaks: { cut: 'cut' }, budgets: { cut: 2, timeout: 0 } };
    expect(closed(join(TWO, options))).toEqual({ complete: true, states: 138_201 });
  });

  it('are each synced once and all online in the end (three nodes, one cut)', () => {
    const options: FleetOptions = { ...joins, breaks: { cut: 'cut' }, budgets: { cut: 1, timeout: 0 } };
    expect(closed(join(THREE, options))).toEqual({ complete: true, states: 107_905 });
  });

  it('are each synced once and all online in the end (three nodes, one missed deadline)', () => {
    expect(closed(join(THREE, joins))).toEqual({ complete: true, states: 99_193 });
  });

  it('join again when the hub crashes in between and forgets them (two nodes, one crash, one cut)', () => {
    const options: FleetOptions = {
      ...joins,
      breaks: { cut: 'cut' },
      budgets: { timeout: 0, crash: 1, cut: 1 },
      actions: { 'the hub crashes and restarts without memory': 'crash' },
    };
    expect(closed(join(TWO, options))).toEqual({ complete: true, states: 104_409 });
  });
});

describe('nodes that join at once, on every fair run', () => {
  it('are all online some time (three nodes, no fault)', () => {
    const options: FleetOptions = { ...joins, budgets: { timeout: 0 } };
    expect(closed(join(THREE, options, inTheEnd(THREE)))).toEqual({ complete: true, states: 1_331 });
  });

  it('are all online some time (two nodes, one cut)', () => {
    const options: FleetOptions = { ...joins, breaks: { cut: 'cut' }, budgets: { cut: 1, timeout: 0 } };
    expect(closed(join(TWO, options, inTheEnd(TWO)))).toEqual({ complete: true, states: 6_613 });
  });

  it('are not, with a hub that lets the newest have the place of the one before', () => {
    const options: FleetOptions = { ...joins, budgets: { timeout: 0 }, admit: (_, knock) => [knock] };
    const { violation } = join(TWO, options, inTheEnd(TWO));
    expect([violation?.kind, violation?.property]).toEqual(['eventually', 'all are online']);
  });
});

describe('a broken twin', () => {
  const failure = ({ violation }: CheckResult) => [
    violation?.kind,
    violation?.property,
    violation?.steps.length,
  ];

  it('whose session is online as soon as it sent the sync works with nodes that do not know it', () => {
    const session = twin(sessionMachine, ({ states }) => {
      states['joining']!.on['sync.prepared'] = [{ target: 'online', actions: 'sendSync' }];
    });
    expect(failure(join(TWO, { ...joins, session }))).toEqual([
      'always',
      'a session is online only after its own registration was acknowledged',
      6,
    ]);
  });

  it('whose session asks for a sync twice, and sends each, syncs a registration twice', () => {
    const session = twin(sessionMachine, ({ states }) => {
      states['joining']!.entry = 'prepareSync';
      states['syncing']!.on['sync.prepared'] = { actions: 'sendSync' };
    });
    expect(failure(join(TWO, { ...joins, session }))).toEqual([
      'always',
      'a registration is synced at most once',
      7,
    ]);
  });

  it('whose hub decides about one at a time, and lets the newest have the place, loses the other', () => {
    const options: FleetOptions = { ...joins, budgets: { timeout: 0 }, admit: (_, knock) => [knock] };
    expect(failure(join(TWO, options))).toEqual([
      'deadlock',
      'something is owed, and nothing can happen',
      13,
    ]);
  });

  it('whose session takes no acknowledgement keeps everyone waiting', () => {
    const session = twin(sessionMachine, ({ states }) => {
      states['syncing']!.on['sync.acknowledged'] = {};
    });
    expect(failure(join(TWO, { ...joins, session }, { noDeadlock: false }))).toEqual([
      'alwaysPossible',
      'all are online in the end',
      0,
    ]);
  });
});
