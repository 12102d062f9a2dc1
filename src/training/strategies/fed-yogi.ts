// Yogi on the server.
// Invariant: as `adaptive`, whose second moment changes by a share of the square, whatever it is itself.
import type { Strategy } from '../contract.ts';
import { adaptive, type AdaptiveOptions } from './adaptive.ts';

/**
 * FedYogi: as FedAdam, with vₜ = vₜ₋₁ − (1 − β₂)·Δₜ²·sign(vₜ₋₁ − Δₜ²), which forgets large differences more slowly.
 *
 * Reddi, Charles, Zaheer, Garrett, Rush, Konečný, Kumar, McMahan: "Adaptive Federated Optimization", ICLR 2021, algorithm 2;
 * Yogi itself: Zaheer, Reddi, Sachan, Kale, Kumar: "Adaptive Methods for Nonconvex Optimization", NeurIPS 2018.
 *
 * @throws HoldfastError `invalid_option`
 */
export function fedYogi(options: AdaptiveOptions = {}): Strategy {
  return adaptive('fed-yogi', options, (before, square, beta2) => {
    const change = (1 - beta2) * square;
    return before > square ? before - change : before < square ? before + change : before;
  });
}
