// Names for what a config holds without one: inline functions, built-in actions such as assign, inline actors.
// Invariant: one value has one name, and no two values share one; a name that the author gave is never taken away.
import { and, enqueueActions, type AnyStateMachine } from 'xstate';

/** The four kinds of implementations that a machine is provided with. */
export type Kind = 'actions' | 'guards' | 'actors';

/** What the names that were made up stand for: `createMachine(config).provide(implementations)`. */
export type Implementations = Readonly<Record<Kind, Readonly<Record<string, unknown>>>>;

/** An action or guard by its name alone, or with parameters that JSON can say. */
export type Named = string | { readonly type: string; readonly params?: unknown };

/** Names that JavaScript gives to functions by where they stand in a config: they say nothing. */
const PLACES = new Set(['', 'actions', 'entry', 'exit', 'guard', 'src', 'type', 'default', 'anonymous']);

export class Names {
  readonly #taken: Record<Kind, Map<string, unknown>>;
  readonly #known: Record<Kind, Map<unknown, string>> = {
    actions: new Map(),
    guards: new Map(),
    actors: new Map(),
  };

  constructor(machine: AnyStateMachine) {
    const { actions, guards, actors } = machine.implementations;
    const entries = (given: object | undefined): Map<string, unknown> => new Map(Object.entries(given ?? {}));
    this.#taken = { actions: entries(actions), guards: entries(guards), actors: entries(actors) };
  }

  /** An action or guard as it stands in a config; `place` is the state that it stands in. */
  of(kind: 'actions' | 'guards', value: unknown, place: string): Named {
    if (typeof value === 'string') return value;
    if (typeof value === 'function') return this.#make(kind, value, value, inlineName(value, place));
    const { type, params } = value as { type: string; params?: unknown };
    if (params === undefined) return type;
    if (typeof params !== 'function') return { type, params: JSON.parse(JSON.stringify(params)) as unknown };
    const bound = kind === 'actions' ? enqueued(value) : and([value as never]);
    return this.#make(kind, value, bound, `${type} in ${place}`);
  }

  /** The logic of an invocation. */
  actor(src: unknown, place: string): string {
    if (typeof src === 'string') return src;
    const { id } = src as { id?: unknown };
    return this.#make('actors', src, src, typeof id === 'string' ? id : `actor in ${place}`);
  }

  implementations(): Implementations {
    const { actions, guards, actors } = this.#taken;
    return {
      actions: Object.fromEntries(actions),
      guards: Object.fromEntries(guards),
      actors: Object.fromEntries(actors),
    };
  }

  #make(kind: Kind, value: unknown, implementation: unknown, proposal: string): string {
    const known = this.#known[kind].get(value);
    if (known !== undefined) return known;
    const taken = this.#taken[kind];
    let name = proposal;
    for (let n = 2; taken.has(name) && taken.get(name) !== value; n += 1) name = `${proposal} (${n})`;
    taken.set(name, implementation);
    this.#known[kind].set(value, name);
    return name;
  }
}

/** Parameters that a function computes cannot be said by name; the action that computes them can. */
function enqueued(action: unknown): unknown {
  return enqueueActions(({ enqueue }) => enqueue(action as never));
}

function inlineName(value: object & { name?: string }, place: string): string {
  const { type, event, guards, stateValue } = value as Readonly<Record<string, unknown>>;
  if (Array.isArray(guards)) return `${value.name}(${guards.map((it) => guardName(it, place)).join(', ')})`;
  if (stateValue !== undefined) return `stateIn(${JSON.stringify(stateValue)})`;
  if (typeof type === 'string' && type.startsWith('xstate.')) {
    const kind = type.slice('xstate.'.length);
    const sent = typeof event === 'object' && event !== null ? (event as { type?: unknown }).type : undefined;
    return typeof sent === 'string' ? `${kind} ${sent}` : `${kind} in ${place}`;
  }
  return PLACES.has(value.name ?? '') ? `inline in ${place}` : (value.name ?? '');
}

function guardName(guard: unknown, place: string): string {
  if (typeof guard === 'string') return guard;
  return typeof guard === 'function' ? inlineName(guard, place) : (guard as { type: string }).type;
}
