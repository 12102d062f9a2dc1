// Instances that another one took the place of: they may not come back.
// Invariant: the latest are remembered, of the oldest none.
const MAX_REPLACED = 10_000;

export class Replaced {
  readonly #instances = new Set<string>();

  has(instance: string): boolean {
    return this.#instances.has(instance);
  }

  add(instance: string): void {
    this.#instances.add(instance);
    if (this.#instances.size <= MAX_REPLACED) return;
    for (const oldest of this.#instances) return void this.#instances.delete(oldest);
  }
}
