// Federated averaging.
// Invariant: keeps no state between rounds.
import { weightedMeanInSlices } from '../aggregate.ts';
import type { Strategy } from '../contract.ts';
import { sliced } from '../slices.ts';

/**
 * FedAvg: the next model is the mean of the nodes' weights, weighted by their samples.
 *
 * McMahan, Moore, Ramage, Hampson, Agüera y Arcas: "Communication-Efficient Learning of Deep Networks from Decentralized
 * Data", AISTATS 2017, algorithm 1. Of the nodes that were asked, those that answered count.
 */
export function fedAvg(): Strategy {
  const aggregate = sliced(function* ({ updates }) {
    return { weights: yield* weightedMeanInSlices(updates), state: [] };
  });
  return { name: 'fed-avg', aggregate };
}
