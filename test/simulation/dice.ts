// What chance decides in a scenario, by its seed.
// Invariant: the same seed throws the same, on every platform and in every process.
import { Prng } from '../../src/testing/index.ts';

export class Dice {
  readonly #random: Prng;

  constructor(seed: number, stream: string) {
    this.#random = new Prng(seed, stream);
  }

  chance(odds: number): boolean {
    return this.#random.fraction() < odds;
  }

  /** A whole number, both ends included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.#random.fraction() * (most - least + 1));
  }

  /** A whole number, small ones as likely as large ones: evenly distributed by its order of magnitude. */
  scale(least: number, most: number): number {
    return Math.round(least * (most / least) ** this.#random.fraction());
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.whole(0, items.length - 1)];
    if (item === undefined) throw new Error('there is nothing to pick from');
    return item;
  }

  /** Picks a name by its weight. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let rest = this.#random.fraction() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) if ((rest -= weight) < 0) return name;
    throw new Error('there is nothing to pick from');
  }
}
