// The systems of connection × session that are explored to the end, each with what is bounded in it.
// Invariant: where no budget is named, a thing may happen any number of times.
import { check, type CheckOptions, type CheckResult } from '../../src/checker/index.ts';
import { fleet, type FleetOptions } from './fleet.ts';
import {
  keptProperties,
  kickProperties,
  owed,
  recovery,
  sessionProperties,
  socketProperties,
  whileTimeoutsLast,
} from './properties.ts';

const HEARTBEATS = ['silenceCheck', 'probeCheck', 'heartbeatInterval', 'suspicion', 'heartbeatDeadline'];
const HEALTH = ['healthCheckInterval', 'stableAfter'];
const TIMEOUTS = ['connectionTimeout', 'syncTimeout', 'sessionGrace'];

/** All delays but `off` may run out at any time; those in `budgeted` only as often as the budget 'timeout' says. */
const delays =
  (off: readonly string[], budgeted: readonly string[] = []) =>
  (_actor: string, delay: string): boolean | string =>
    !off.includes(delay) && (budgeted.includes(delay) ? 'timeout' : true);

export function explore(options: FleetOptions, more: CheckOptions = {}): CheckResult {
  const { instances } = options;
  const always = { ...socketProperties(instances), ...sessionProperties(instances) };
  return check(fleet(options), {
    always,
    alwaysPossible: recovery(instances),
    noDeadlock: owed(instances),
    ...more,
  });
}

export const handshake: FleetOptions = {
  breaks: { cut: true, refuse: true },
  fires: delays([...HEALTH, ...HEARTBEATS]),
};

export const restarts: FleetOptions = {
  ...handshake,
  actions: {
    'the hub crashes and restarts without memory': true,
    'the hub crashes and restarts with its sessions': true,
  },
};

export const swallowed: FleetOptions = {
  breaks: { swallow: 'swallow' },
  budgets: { swallow: 1 },
  fires: delays(HEALTH),
};

export const forgetful: FleetOptions = {
  breaks: { cut: 'cut' },
  budgets: { cut: 1, timeout: 1, crash: 1, forget: 1 },
  actions: {
    'the hub crashes and restarts without memory': 'crash',
    'the hub crashes and restarts with its sessions': 'crash',
    'the hub forgets its nodes behind kept sockets': 'forget',
  },
  fires: delays(HEALTH, TIMEOUTS),
};

export const operated: FleetOptions = {
  breaks: { cut: 'cut' },
  budgets: { cut: 1, timeout: 1, operator: 1 },
  actions: {
    'node a is asked to stop': true,
    'node a wakes up': true,
    'the operator disconnects a': 'operator',
    'the hub drains a': 'operator',
  },
  fires: delays([...HEALTH, ...HEARTBEATS], TIMEOUTS),
};

/** Nobody stops, and no time is ever over. */
export const drained: FleetOptions = {
  breaks: { cut: 'cut' },
  budgets: { cut: 2, timeout: 0, operator: 2 },
  actions: { 'the hub drains a': 'operator', 'the operator disconnects a': 'operator' },
  fires: delays([...HEALTH, ...HEARTBEATS], TIMEOUTS),
};

export const kept: CheckOptions = {
  always: { ...socketProperties(), ...sessionProperties(), ...keptProperties() },
};

export const tired: FleetOptions = {
  maxRetryAttempts: 2,
  breaks: { cut: 'cut', refuse: true },
  budgets: { cut: 1, timeout: 1 },
  fires: delays(HEARTBEATS, [...TIMEOUTS, 'stableAfter']),
};

export const twoInstances: FleetOptions = {
  instances: ['a', 'b'],
  breaks: { cut: 'cut' },
  budgets: { cut: 1, timeout: 1 },
  actions: { 'the process of node a dies': true },
  fires: delays([...HEALTH, ...HEARTBEATS], TIMEOUTS),
};

export const wild: FleetOptions = {
  frames: 'wild',
  budgets: { loss: 1, copy: 2, timeout: 1 },
  fires: delays([...HEALTH, ...HEARTBEATS], TIMEOUTS),
};

/** Nothing breaks unless a test says what. */
export const joins: FleetOptions = {
  budgets: { timeout: 1 },
  fires: delays([...HEALTH, ...HEARTBEATS], TIMEOUTS),
};

const BOTH = ['a', 'b'];
export const kicks: CheckOptions = {
  always: { ...socketProperties(BOTH), ...sessionProperties(BOTH), ...kickProperties(BOTH) },
};
export const wildCrashing: FleetOptions = {
  ...wild,
  budgets: { loss: 0, copy: 1, timeout: 1, crash: 1 },
  actions: { 'the hub crashes and restarts without memory': 'crash' },
};

export const wildly: CheckOptions = {
  always: sessionProperties(),
  alwaysPossible: whileTimeoutsLast(recovery()),
  noDeadlock: (view) => view.budget('timeout') > 0 && owed()(view),
};

/** What is asserted of a space that closed without a violation; otherwise the counterexample is shown. */
export const closed = ({ violation, complete, states }: CheckResult) =>
  violation?.text ?? { complete, states };
