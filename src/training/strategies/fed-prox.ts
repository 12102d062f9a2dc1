// Federated averaging with a proximal term on the nodes.
// Invariant: as FedAvg on the server; the nodes are told μ.
import { HoldfastError } from '../../protocol/errors.ts';
import type { Strategy } from '../contract.ts';
import { fedAvg } from './fed-avg.ts';

export interface FedProxOptions {
  /** Weight of the proximal term, μ: at least 0, and 0 is FedAvg. The paper chooses among 0.001, 0.01, 0.1 and 1. */
  readonly mu: number;
}

/**
 * FedProx: each node minimises its own loss plus μ/2·‖w − wᵗ‖², where wᵗ are the weights that it was given, which keeps nodes
 * with unlike data from drifting apart. That term is the node's: its `train` finds μ as `config.mu` and adds μ·(w − wᵗ) to its
 * gradient. The server aggregates as FedAvg does.
 *
 * Li, Sahu, Zaheer, Sanjabi, Talwalkar, Smith: "Federated Optimization in Heterogeneous Networks", MLSys 2020, algorithm 2.
 *
 * @throws HoldfastError `invalid_option`
 */
export function fedProx({ mu }: FedProxOptions): Strategy {
  if (!(Number.isFinite(mu) && mu >= 0))
    throw new HoldfastError(`fedProx mu is ${mu}; give a number of at least 0, such as 0.01`, {
      code: 'invalid_option',
    });
  return { ...fedAvg(), name: 'fed-prox', configure: () => ({ mu }) };
}
