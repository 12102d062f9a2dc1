// The properties that one look at a state decides: always, sometimes, and whether something is owed.
// Invariant: a property that throws is an error of its own with its name on it, never a verdict.
import type { CheckOptions, Predicate, Predicates } from './options.ts';
import type { SystemDefinition } from './system.ts';
import { Verdicts } from './verdicts.ts';
import type { StateView, View } from './view.ts';

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

interface Property {
  readonly name: string;
  readonly holdsIn: (view: StateView) => boolean;
}

/** A property whose verdicts are kept. @throws from `holdsIn`: Error that names the property when it throws */
export function property(kind: string, name: string, predicate: Predicate): Property {
  const verdicts = new Verdicts((view) => holds(kind, name, predicate, view));
  return { name, holdsIn: (view) => verdicts.of(view) };
}

export class StateProperties {
  readonly #always: readonly Property[];
  readonly #owed: Property | undefined;
  #sometimes: readonly Property[];

  constructor(
    definition: SystemDefinition,
    { always = {}, sometimes = {}, noDeadlock = false }: CheckOptions,
  ) {
    this.#always = Object.entries(always).map(([name, predicate]) => property('always', name, predicate));
    this.#sometimes = Object.entries(sometimes).map(([name, predicate]) =>
      property('sometimes', name, predicate),
    );
    const actors = Object.entries(definition.actors).flatMap(([name, actor]) =>
      'machine' in actor ? [name] : [],
    );
    const running: Predicate = (view) => actors.some((name) => view.actor(name).status === 'active');
    const owed = typeof noDeadlock === 'function' ? noDeadlock : noDeadlock ? running : undefined;
    this.#owed = owed && property('noDeadlock', 'something is owed', owed);
  }

  /** Names of what held nowhere so far. */
  get unreached(): readonly string[] {
    return this.#sometimes.map(({ name }) => name);
  }

  get asksForDeadlocks(): boolean {
    return this.#owed !== undefined;
  }

  /** The name of the `always` property that the state violates, if one does; notes what is reached. */
  violatedBy(view: StateView): string | undefined {
    for (let i = 0; i < this.#always.length; i++) {
      const { name, holdsIn } = this.#always[i] as Property;
      if (!holdsIn(view)) return name;
    }
    if (this.#sometimes.length > 0) {
      const left = this.#sometimes.filter(({ holdsIn }) => !holdsIn(view));
      if (left.length < this.#sometimes.length) this.#sometimes = left;
    }
    return undefined;
  }

  isOwed(view: StateView): boolean {
    return this.#owed?.holdsIn(view) === true;
  }
}

/** Names of all properties that only a complete search can judge. */
export function needsAll(options: CheckOptions): readonly string[] {
  const { alwaysPossible = {}, eventually = {}, alwaysEventually = {}, leadsTo = {} } = options;
  return [alwaysPossible, eventually, alwaysEventually, leadsTo].flatMap((group: Predicates | object) =>
    Object.keys(group),
  );
}
