// connection × session on every fair run: not only can it get connected and online again, it does.
// Invariant: faults come to an end and time-outs are few; time-outs that come too early for ever are the broken twin.
import { describe, expect, it } from 'vitest';
import { connectionMachine } from '../../machines/connection.ts';
import { check } from '../../src/checker/index.ts';
import { fleet, type FleetOptions } from './fleet.ts';
import { twin } from './twin.ts';
import { recovery } from './properties.ts';
import { closed } from './systems.ts';

const TIMEOUTS = ['connectionTimeout', 'syncTimeout', 'sessionGrace'];
const cutOnce: FleetOptions = {
  breaks: { cut: 'cut', refuse: true },
  budgets: { cut: 1, timeout: 1 },
  fires: (_actor, delay) => (TIMEOUTS.includes(delay) ? 'timeout' : delay === 'backoffDelay'),
};

describe('one node and its hub (one cut, one missed deadline, dials refused any number of times)', () => {
  it('are connected and online again and again on every fair run', () => {
    const result = check(fleet(cutOnce), { alwaysEventually: recovery() });
    expect(closed(result)).toEqual({ complete: true, states: 3_573 });
  });

  it('are not when the connection does not leave its failure behind', () => {
    const stuck = twin(connectionMachine, (config) => {
      config.states['transient_failure']!.on['socket.released'] = {};
    });
    const { violation } = check(fleet({ ...cutOnce, connection: stuck }), { alwaysEventually: recovery() });
    expect(violation?.kind).toBe('alwaysEventually');
    expect(violation?.text).toContain('node a is  transient_failure');
  });

  it('are not when every dial may be refused for ever', () => {
    const { violation } = check(fleet(cutOnce), { alwaysEventually: recovery(), faults: 'recur' });
    const cycle = violation?.steps.slice((violation.cycle ?? 0) - 1).map(({ label }) => label);
    expect(violation?.kind).toBe('alwaysEventually');
    expect(cycle?.join()).toContain('the dial is refused');
  });

  it('are not when the deadline of the dial may always come first', () => {
    const hasty: FleetOptions = {
      ...cutOnce,
      fires: (_actor, delay) => delay === 'connectionTimeout' || delay === 'backoffDelay',
    };
    const { violation } = check(fleet(hasty), { alwaysEventually: recovery() });
    const cycle = violation?.steps.slice((violation.cycle ?? 0) - 1).map(({ label }) => label);
    expect(cycle).toContain('connectionTimeout of node a runs out');
  });
});
