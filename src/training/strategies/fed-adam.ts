// Adam on the server.
// Invariant: as `adaptive`, whose second moment is a moving average.
import type { Strategy } from '../contract.ts';
import { adaptive, type AdaptiveOptions } from './adaptive.ts';

/**
 * FedAdam: Adam takes the mean of the nodes' differences for a gradient; vₜ = β₂·vₜ₋₁ + (1 − β₂)·Δₜ². The moments are part of
 * each checkpoint.
 *
 * Reddi, Charles, Zaheer, Garrett, Rush, Konečný, Kumar, McMahan: "Adaptive Federated Optimization", ICLR 2021, algorithm 2.
 *
 * @throws HoldfastError `invalid_option`
 */
export function fedAdam(options: AdaptiveOptions = {}): Strategy {
  return adaptive('fed-adam', options, (before, square, beta2) => beta2 * before + (1 - beta2) * square);
}
