// Which of the nodes that may run a call gets it.
// Invariant: pure functions of what the hub knows of its nodes; ties go round.

import { HoldfastError } from '../protocol/errors.ts';

export type Balance = 'leastLoaded' | 'roundRobin' | 'latency' | 'random';

/** What a choice depends on. */
export interface Candidate {
  /** Calls that it runs. */
  readonly running: number;
  /** Calls that wait for it at the hub. */
  readonly queued: number;
  /** Smoothed time from assignment to outcome, in milliseconds; 0 before the first. */
  readonly latencyMs: number;
}

export type Choose = <C extends Candidate>(candidates: readonly C[]) => C | undefined;

/**
 * Above this many candidates two are drawn and the better one is taken: nearly as even as looking at all of them
 * (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 1996), at a cost that does not grow.
 */
const LOOK_AT_ALL = 16;
/** `latency` gives one call in so many to any node: one that was slow once would never be seen to be quick again. */
const EXPLORE_ONE_IN = 64;

export function createBalance(balance: Balance, random: () => number): Choose {
  let turn = 0;
  const draw = <C>(candidates: readonly C[]): C | undefined => candidates[random() % candidates.length];

  function best<C extends Candidate>(
    candidates: readonly C[],
    cost: (candidate: C) => number,
  ): C | undefined {
    if (candidates.length > LOOK_AT_ALL) {
      const one = draw(candidates);
      const other = draw(candidates);
      if (one === undefined || other === undefined) return one ?? other;
      return cost(one) <= cost(other) ? one : other;
    }
    turn += 1;
    let chosen: C | undefined;
    let least = Infinity;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[(turn + i) % candidates.length];
      if (candidate === undefined) continue;
      const its = cost(candidate);
      if (its < least) {
        least = its;
        chosen = candidate;
      }
    }
    return chosen;
  }

  switch (balance) {
    case 'leastLoaded':
      return (candidates) => best(candidates, (it) => it.running + it.queued);
    case 'latency':
      return (candidates) =>
        random() % EXPLORE_ONE_IN === 0
          ? draw(candidates)
          : best(candidates, (it) => (it.latencyMs + 0.01) * (it.running + it.queued + 1));
    case 'roundRobin':
      return (candidates) => {
        turn += 1;
        return candidates[turn % candidates.length];
      };
    case 'random':
      return (candidates) => draw(candidates);
  }
}

/** @throws HoldfastError `invalid_option` */
export function checkBalance(balance: string): Balance {
  if (balance === 'leastLoaded' || balance === 'roundRobin' || balance === 'latency' || balance === 'random')
    return balance;
  throw new HoldfastError(`option balance is ${balance}; choose leastLoaded, roundRobin, latency or random`, {
    code: 'invalid_option',
  });
}
