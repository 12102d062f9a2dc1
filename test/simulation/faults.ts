// The faults that may hit a fleet, drawn by chance.
// Invariant: plain data; whom a fault hits is drawn with it.
import type { NetworkOptions } from '../../src/testing/index.ts';
import type { Dice } from './dice.ts';

const weights = {
  hubKilled: 3,
  hubStopped: 1,
  hubFrozen: 1.5,
  nodeKilled: 3,
  nodeStopped: 1.5,
  nodeFrozen: 2,
  nodeRivalled: 1.5,
  nodeDrained: 1,
  nodeDisconnected: 1,
  nodeForgotten: 1,
  clientKilled: 1,
  clientFrozen: 1.5,
  linkReset: 3,
  linkCut: 3,
  linkSwallowed: 4,
  everythingCut: 0.7,
  everythingSwallowed: 0.7,
  networkSlowed: 1.5,
  wallClockSet: 1,
};

type FaultKind = keyof typeof weights | 'nodeUndrained';

export interface Fault {
  readonly kind: FaultKind;
  readonly at: number;
  readonly forMs: number;
  /** Which node and which client, if it hits one. */
  readonly node: number;
  readonly client: number;
  /** Of links: whose. */
  readonly whose: 'node' | 'client';
  /** Of kills: the machine is gone with the process, so that no peer is told. */
  readonly silently: boolean;
  /** Of the network, while it is slow. */
  readonly shape: NetworkOptions;
  /** How far the wall clock is set. */
  readonly jumpMs: number;
}

/**
 * What a seed draws its faults from. Every fourth draws many of a few kinds (swarm testing: Groce and others, "Swarm
 * Testing", ISSTA 2012): among all the others, one kind seldom comes often enough to show what it does.
 */
function drawMix(dice: Dice, seed: number) {
  if (seed % 4 !== 3)
    return { weighted: weights, count: dice.chance(0.1) ? 0 : dice.whole(1, 14), silently: 0.4 };
  const kinds = Object.keys(weights) as (keyof typeof weights)[];
  const few: Partial<Record<keyof typeof weights, number>> = {};
  for (let kind = dice.whole(1, 4); kind > 0; kind -= 1) few[dice.pick(kinds)] = dice.whole(1, 4);
  return {
    weighted: few as Record<keyof typeof weights, number>,
    count: dice.whole(4, 30),
    silently: dice.pick([0, 0.5, 1]),
  };
}

export function drawFaults(
  dice: Dice,
  { seed, nodes, clients, activeMs }: { seed: number; nodes: number; clients: number; activeMs: number },
): Fault[] {
  const { weighted, count, silently } = drawMix(dice, seed);
  const faults = Array.from({ length: count }, (): Fault => {
    return {
      kind: dice.weighted(weighted),
      at: dice.whole(0, activeMs - 1),
      forMs: dice.scale(10, 60_000),
      node: dice.whole(0, nodes - 1),
      client: dice.whole(0, clients - 1),
      whose: dice.chance(0.6) ? 'node' : 'client',
      silently: dice.chance(silently),
      shape: {
        latencyMs: dice.scale(10, 2_000),
        jitterMs: dice.scale(1, 3_000),
        bytesPerMs: dice.chance(0.5) ? dice.scale(20, 2_000) : Infinity,
      },
      jumpMs: (dice.chance(0.5) ? 1 : -1) * dice.scale(1_000, 40_000_000),
    };
  });
  return faults.sort((a, b) => a.at - b.at);
}

const afterDrain = {
  linkReset: 3,
  linkCut: 3,
  linkSwallowed: 2,
  hubKilled: 1,
  nodeStopped: 1,
  nodeFrozen: 1,
  nodeDisconnected: 1,
} as const;

/** Nodes that are drained, what happens to them soon after that, and an end of it for some. */
export function drawDrains(dice: Dice, { nodes, activeMs }: { nodes: number; activeMs: number }): Fault[] {
  const drains: Fault[] = [];
  for (let count = dice.whole(1, 5); count > 0; count -= 1) {
    const at = dice.whole(0, activeMs - 1);
    const common = {
      node: dice.whole(0, nodes - 1),
      client: 0,
      whose: 'node',
      silently: false,
      shape: {},
      jumpMs: 0,
      forMs: dice.scale(10, 20_000),
    } as const;
    const within = (least: number, most: number): number =>
      Math.min(activeMs - 1, at + dice.scale(least, most));
    drains.push({ ...common, kind: 'nodeDrained', at });
    drains.push({ ...common, kind: dice.weighted(afterDrain), at: within(1, 5_000) });
    if (dice.chance(0.5)) drains.push({ ...common, kind: 'nodeUndrained', at: within(10, 20_000) });
  }
  return drains;
}
