// The properties that one look at a state decides: always, sometimes, and whether something is owed.
// Invariant: a property that throws is an error of its own with its name on it, never a verdict.
import type { CheckOptions, Predicate, Predicates } from './options.ts';
import type { SystemDefinition } from './system.ts';
import type { View } from './view.ts';

/** @throws Error that names the property when it throws, or answers neither true nor false */
export function holds(kind: string, name: string, predicate: Predicate, view: View): boolean {
  let answer: unknown;
  try {
    answer = predicate(view);
  } catch (cause) {
    throw new Error(
      `the property '${name}' (${kind}) threw ${String(cause)}; a property must answer true or false in every state`,
      { cause },
    );
  }
  if (typeof answer === 'boolean') return answer;
  const found = answer instanceof Promise ? 'a promise' : String(answer);
  throw new Error(`the property '${name}' (${kind}) answered ${found}; it must answer true or false at once`);
}

export class StateProperties {
  readonly #always: readonly (readonly [string, Predicate])[];
  readonly #owed: Predicate | undefined;
  #sometimes: readonly (readonly [string, Predicate])[];

  constructor(
    definition: SystemDefinition,
    { always = {}, sometimes = {}, noDeadlock = false }: CheckOptions,
  ) {
    this.#always = Object.entries(always);
    this.#sometimes = Object.entries(sometimes);
    const actors = Object.entries(definition.actors).flatMap(([name, actor]) =>
      'machine' in actor ? [name] : [],
    );
    const running: Predicate = (view) => actors.some((name) => view.actor(name).status === 'active');
    this.#owed = typeof noDeadlock === 'function' ? noDeadlock : noDeadlock ? running : undefined;
  }

  /** Names of what held nowhere so far. */
  get unreached(): readonly string[] {
    return this.#sometimes.map(([name]) => name);
  }

  get asksForDeadlocks(): boolean {
    return this.#owed !== undefined;
  }

  /** The name of the `always` property that the state violates, if one does; notes what is reached. */
  violatedBy(view: View): string | undefined {
    for (let i = 0; i < this.#always.length; i++) {
      const [name, predicate] = this.#always[i] as readonly [string, Predicate];
      if (!holds('always', name, predicate, view)) return name;
    }
    if (this.#sometimes.length > 0) {
      const left = this.#sometimes.filter(([name, predicate]) => !holds('sometimes', name, predicate, view));
      if (left.length < this.#sometimes.length) this.#sometimes = left;
    }
    return undefined;
  }

  isOwed(view: View): boolean {
    return this.#owed !== undefined && holds('noDeadlock', 'something is owed', this.#owed, view);
  }
}

/** Names of all properties that only a complete search can judge. */
export function needsAll(options: CheckOptions): readonly string[] {
  const { alwaysPossible = {}, eventually = {}, alwaysEventually = {}, leadsTo = {} } = options;
  return [alwaysPossible, eventually, alwaysEventually, leadsTo].flatMap((group: Predicates | object) =>
    Object.keys(group),
  );
}
