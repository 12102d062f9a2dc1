// What a seed stands for: a fleet with its options, the calls that are asked for, and the faults that hit them.
// Invariant: plain data, drawn before the run begins, so that a run may be repeated with some of it left out.
import type { HubOptions } from '../../src/hub/options.ts';
import type { ExecutionTimes, LinkTimes, Preset } from '../../src/links/options.ts';
import type { NetworkOptions } from '../../src/testing/index.ts';
import { Dice } from './dice.ts';
import { drawDrains, drawFaults, type Fault } from './faults.ts';

type Times = Partial<LinkTimes & ExecutionTimes> & { readonly preset?: Preset };

export interface NodePlan {
  readonly id: string;
  readonly times: Times;
  readonly functions: readonly Kind[];
  readonly labels: Readonly<Record<string, string>>;
  readonly maxConcurrent: number;
  readonly encoding: 'json' | 'msgpack';
  /** What its `onSync` takes. */
  readonly syncMs: number;
}

export interface ClientPlan {
  readonly id: string;
  readonly times: Times;
  readonly encoding: 'json' | 'msgpack';
  readonly maxCallAttempts: number;
}

/** `echo` answers at once, `wait` takes its time, `fail` throws, `rows` streams. */
export type Kind = 'echo' | 'wait' | 'fail' | 'rows';

export interface CallPlan {
  readonly at: number;
  readonly client: number;
  readonly kind: Kind;
  readonly idempotent: boolean;
  /** Journaled before it is sent, where there is a store. */
  readonly durable: boolean;
  readonly deadlineMs: number;
  readonly cancelAfterMs: number | undefined;
  readonly node: string | undefined;
  readonly labels: Readonly<Record<string, string>> | undefined;
  /** Of the argument, and of the result or of each row. */
  readonly argumentBytes: number;
  readonly resultBytes: number;
  /** Of a `wait`, and between two rows. */
  readonly workMs: number;
  readonly rows: number;
  /** Rows after which the consumer leaves. */
  readonly leaveAfter: number | undefined;
  /** What the consumer takes for a row. */
  readonly consumeMs: number;
}

export interface Scenario {
  readonly seed: number;
  readonly network: NetworkOptions;
  readonly hub: HubOptions;
  readonly nodes: readonly NodePlan[];
  readonly clients: readonly ClientPlan[];
  readonly calls: readonly CallPlan[];
  readonly faults: readonly Fault[];
  /** Where the hub keeps what it knows; no way to it, or back, takes longer. */
  readonly store: { readonly longestMs: number } | undefined;
  /** When everything that was broken is mended, and nothing new is asked for. */
  readonly quietAt: number;
}

/** With what else belongs to a call: well below `limits.maxDurableBytes`. */
const MAX_DURABLE_BYTES = 300_000;

const presets = ['development', 'highAvailability', 'unstableNetwork', 'production'] as const;

function drawTimes(dice: Dice): Times {
  if (dice.chance(0.3)) return { preset: dice.pick(presets) };
  if (dice.chance(0.1)) return {};
  const heartbeatIntervalMs = dice.whole(1_000, 5_000);
  const reconnectIntervalMs = dice.scale(200, 3_000);
  return {
    heartbeatIntervalMs,
    heartbeatTimeoutMs: heartbeatIntervalMs * 2 + dice.whole(1_000, 8_000),
    reconnectIntervalMs,
    reconnectMaxMs: reconnectIntervalMs + dice.whole(0, 15_000),
    maxRetryAttempts: dice.pick([0, 0, 2, 5, 10]),
    healthCheckIntervalMs: dice.whole(3_000, 30_000),
    connectionTimeoutMs: dice.whole(2_000, 10_000),
    stableAfterMs: dice.whole(1_000, 10_000),
    drainTimeoutMs: dice.whole(1_000, 15_000),
    executionTimeoutMs: dice.whole(10_000, 120_000),
  };
}

function drawHub(dice: Dice): HubOptions {
  const times = drawTimes(dice);
  return {
    port: 7_070,
    preset: times.preset,
    heartbeatIntervalMs: times.heartbeatIntervalMs,
    heartbeatTimeoutMs: times.heartbeatTimeoutMs,
    connectionTimeoutMs: times.connectionTimeoutMs,
    drainTimeoutMs: times.drainTimeoutMs ?? 10_000,
    sessionGraceMs: dice.chance(0.5) ? dice.scale(5_000, 90_000) : undefined,
    maxQueueSize: dice.chance(0.2) ? dice.whole(0, 5) : undefined,
    noNodeAfterMs: dice.chance(0.5) ? dice.scale(500, 20_000) : undefined,
    balance: dice.pick(['leastLoaded', 'leastLoaded', 'roundRobin', 'latency', 'random']),
    retryAfterMs: dice.scale(50, 2_000),
    token: dice.chance(0.3) ? 'secret' : undefined,
    encoding: dice.pick(['json', 'msgpack']),
  };
}

const kinds = ['echo', 'wait', 'fail', 'rows'] as const;
const zones = ['a', 'b'] as const;

function drawNodes(dice: Dice): NodePlan[] {
  return Array.from({ length: dice.whole(1, 8) }, (_, index) => ({
    id: `n${index + 1}`,
    times: drawTimes(dice),
    // The first offers all of them.
    functions: kinds.filter(() => index === 0 || dice.chance(0.8)),
    labels: dice.chance(0.5) ? { zone: dice.pick(zones) } : {},
    maxConcurrent: dice.pick([1, 2, 4, 64]),
    encoding: dice.pick(['json', 'json', 'msgpack']),
    syncMs: dice.chance(0.2) ? dice.whole(1, 2_000) : 0,
  }));
}

function drawClients(dice: Dice): ClientPlan[] {
  return Array.from({ length: dice.whole(1, 4) }, (_, index) => ({
    id: `c${index + 1}`,
    times: drawTimes(dice),
    encoding: dice.pick(['json', 'json', 'msgpack']),
    maxCallAttempts: dice.pick([1, 2, 8, 8]),
  }));
}

/** Mostly small; some in chunks, a few beyond the credit window. */
function drawBytes(dice: Dice): number {
  if (dice.chance(0.85)) return dice.whole(0, 300);
  return dice.chance(0.95) ? dice.scale(10_000, 400_000) : dice.scale(400_000, 2_500_000);
}

function drawCall(
  dice: Dice,
  fleet: Pick<Scenario, 'nodes' | 'clients'>,
  at: number,
  isHeavy: boolean,
): CallPlan {
  const kind = dice.weighted({ echo: 4, wait: 5, fail: 1, rows: 2 });
  return {
    at,
    client: dice.whole(0, fleet.clients.length - 1),
    kind,
    idempotent: dice.chance(0.35),
    durable: false,
    deadlineMs: dice.scale(300, 90_000),
    cancelAfterMs: dice.chance(0.12) ? dice.scale(1, 10_000) : undefined,
    node: dice.chance(0.15) ? dice.pick(fleet.nodes).id : undefined,
    labels: dice.chance(0.1) ? { zone: dice.pick(zones) } : undefined,
    argumentBytes: isHeavy ? drawBytes(dice) : dice.whole(0, 300),
    resultBytes: isHeavy ? drawBytes(dice) : dice.whole(0, 300),
    workMs: kind === 'rows' ? dice.scale(1, 1_000) : dice.scale(1, 20_000),
    rows: dice.scale(1, 60),
    leaveAfter: dice.chance(0.1) ? dice.whole(0, 20) : undefined,
    consumeMs: dice.chance(0.3) ? dice.whole(1, 500) : 0,
  };
}

/** @param seed any whole number */
export function drawScenario(seed: number): Scenario {
  const dice = new Dice(seed, 'scenario');
  const network: NetworkOptions = {
    latencyMs: dice.scale(1, 80) / 2,
    jitterMs: dice.chance(0.6) ? dice.scale(1, 100) : 0,
    kernelBytes: dice.chance(0.2) ? dice.scale(1_000, 262_144) : 262_144,
  };
  const hub = drawHub(dice);
  const fleet = { nodes: drawNodes(dice), clients: drawClients(dice) };
  const activeMs = dice.scale(15_000, 120_000);
  const meanGapMs = dice.scale(50, 2_000);
  const isHeavy = dice.chance(0.4);
  const calls: CallPlan[] = [];
  for (let at = 500; at < activeMs && calls.length < 400; at += dice.whole(0, 2 * meanGapMs)) {
    calls.push(drawCall(dice, fleet, at, isHeavy));
  }
  const faults = drawFaults(new Dice(seed, 'faults'), {
    seed,
    nodes: fleet.nodes.length,
    clients: fleet.clients.length,
    activeMs,
  });
  const plain = { seed, network, hub, ...fleet, calls, faults, store: undefined, quietAt: activeMs };
  const drained = DRAINED.has(seed % 16) ? withDrains(plain) : plain;
  return STORED.has(seed % 16) ? withStore(drained) : drained;
}

/** Remainders of seeds whose nodes are drained at bad times, and whose hubs have a store. */
const DRAINED = new Set([5, 13]);
const STORED = new Set([1, 13]);

/** Nodes are drained, and then something happens to their links, or to the hub; some are let in again. */
export function withDrains(scenario: Scenario): Scenario {
  const { seed, nodes, quietAt } = scenario;
  const drains = drawDrains(new Dice(seed, 'drains'), { nodes: nodes.length, activeMs: quietAt });
  const faults = [...scenario.faults, ...drains].sort((a, b) => a.at - b.at);
  return { ...scenario, faults };
}

/** The hub has a store, and half of the calls are durable. */
export function withStore(scenario: Scenario): Scenario {
  const dice = new Dice(scenario.seed, 'store');
  const store = { longestMs: dice.scale(2, 400) };
  const calls = scenario.calls.map((call) => ({
    ...call,
    durable: dice.chance(0.5) && call.argumentBytes < MAX_DURABLE_BYTES,
  }));
  return { ...scenario, store, calls };
}
