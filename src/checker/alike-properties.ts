// Whether properties tell actors apart that the system declares to be alike; then symmetry would hide violations.
// Invariant: a spot check: what it finds is an error for certain, what it does not find is no proof.
import type { CheckOptions, Predicate } from './options.ts';
import type { Orbits } from './symmetry.ts';
import type { StateView } from './view.ts';

/** So many of the first states are compared, and then one in so many. */
const FIRST = 256;
const ONE_IN = 64;

export class AlikeProperties {
  readonly #orbits: Orbits;
  readonly #properties: readonly (readonly [string, Predicate])[];

  constructor(orbits: Orbits, options: CheckOptions) {
    const { always = {}, sometimes = {}, alwaysPossible = {}, noDeadlock } = options;
    const { eventually = {}, alwaysEventually = {}, leadsTo = {} } = options;
    this.#orbits = orbits;
    this.#properties = [
      ...[always, sometimes, alwaysPossible, eventually, alwaysEventually].flatMap((group) =>
        Object.entries(group),
      ),
      ...Object.entries(leadsTo).flatMap(([name, { from, to }]) => [
        [name, from] as const,
        [name, to] as const,
      ]),
      ...(typeof noDeadlock === 'function' ? [['noDeadlock', noDeadlock] as const] : []),
    ];
  }

  /** Looks at the state in the view when its turn has come. @throws Error that names the property and the actors */
  compareSome(view: StateView, index: number): void {
    if (index < FIRST || index % ONE_IN === 0) this.compare(view);
  }

  compare(view: StateView): void {
    const { state } = view;
    const original = state.slice();
    for (const [name, holds] of this.#properties) {
      const expected = holds(view);
      this.#orbits.eachExchanged(original, (exchanged, names) => {
        state.set(exchanged);
        const found = holds(view);
        state.set(original);
        if (found === expected) return;
        throw new Error(
          `the property '${name}' tells ${names.join(' from ')}, which the system declares to be alike; ` +
            'say it of all of them, or switch the reduction off with `symmetry: false`',
        );
      });
    }
  }
}
