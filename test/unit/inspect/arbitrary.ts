// Random machine configs: nested, parallel, history, final, after, always, invoke, guards, odd names.
// Invariant: XState accepts each; what it would refuse (no initial state, two siblings with one key) is left out.
import fc from 'fast-check';
import { createMachine, type AnyStateMachine } from 'xstate';

interface Move {
  readonly target: number | undefined;
  readonly guard: string | undefined;
  readonly actions: readonly string[];
  readonly reenter: boolean;
}

interface Sketch {
  readonly key: string;
  readonly kind: 'plain' | 'parallel' | 'final' | 'shallow' | 'deep';
  readonly on: readonly (readonly [event: string, moves: readonly Move[]])[];
  readonly after: readonly (readonly [delay: string, move: Move])[];
  readonly always: readonly Move[];
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  readonly invoke: string | undefined;
  readonly done: Move | undefined;
  readonly description: string | undefined;
  readonly children: readonly Sketch[];
}

const keys = [
  'idle',
  'end',
  'state',
  'a b',
  'é',
  'x:y',
  '1st',
  'a_b',
  'quote"s',
  '<t>',
  '[*]',
  'note',
  "it's",
];
const events = ['go', 'go.on', 'a.b', 'a.*', '*', 'odd event; {}', 'ü:"q"', 'A>B', '-->'];
const actions = ['log', 'openSocket', 'say "hi"', "it's <b>&amp; \\"];
const guards = ['mayRetry', 'a && b', '"q" > 1'];

const move: fc.Arbitrary<Move> = fc.record({
  target: fc.option(fc.nat(), { nil: undefined }),
  guard: fc.option(fc.constantFrom(...guards), { nil: undefined }),
  actions: fc.array(fc.constantFrom(...actions), { maxLength: 2 }),
  reenter: fc.boolean(),
});
const guarded = move.map((it): Move => ({ ...it, guard: it.guard ?? 'mayRetry' }));
const names = fc.array(fc.constantFrom(...actions), { maxLength: 2 });
const maybe = (...texts: string[]) => fc.option(fc.constantFrom(...texts), { nil: undefined });

const { node } = fc.letrec<{ node: Sketch }>((tie) => ({
  node: fc.record({
    key: fc.constantFrom(...keys),
    kind: fc.constantFrom('plain', 'plain', 'plain', 'parallel', 'final', 'shallow', 'deep'),
    on: fc.array(fc.tuple(fc.constantFrom(...events), fc.array(move, { maxLength: 2 })), { maxLength: 4 }),
    after: fc.array(fc.tuple(fc.constantFrom('1000', 'backoff', 'odd delay'), move), { maxLength: 2 }),
    always: fc.array(guarded, { maxLength: 1 }),
    entry: names,
    exit: names,
    invoke: maybe('load', 'odd actor'),
    done: fc.option(move, { nil: undefined }),
    description: maybe('Why\nnot "that"?', '<b> & --> -- *'),
    children: fc.oneof(
      { depthSize: 'small', maxDepth: 3 },
      fc.constant([]),
      fc.array(tie('node'), { minLength: 1, maxLength: 3 }),
    ),
  }),
}));

type Config = Record<string, unknown>;

/** Writes configs, gives every state an id, and at the end every transition its target. */
class Scribe {
  readonly #ids: string[] = [];
  readonly #moves: { config: Config; target: number }[] = [];

  root(sketch: Sketch): Config {
    const config = this.#state(sketch, 0);
    for (const { config: it, target } of this.#moves) {
      const goal = this.#ids[target % Math.max(1, this.#ids.length)];
      if (goal !== undefined) it['target'] = `#${goal}`;
    }
    return config;
  }

  #move({ target, guard, actions: done, reenter }: Move): Config {
    const config: Config = guard === undefined ? {} : { guard };
    if (done.length > 0) config['actions'] = done;
    if (target !== undefined) {
      this.#moves.push({ config, target });
      if (reenter) config['reenter'] = true;
    }
    return config;
  }

  #state(sketch: Sketch, depth: number): Config {
    const id = `s${this.#ids.length}${this.#ids.length % 3 === 0 ? '' : ' odd'}`;
    if (depth > 0) this.#ids.push(id);
    const config: Config = depth > 0 ? { id } : { id: 'root' };
    if (sketch.description !== undefined) config['description'] = sketch.description;
    const children = [...new Map(sketch.children.map((child) => [child.key, child])).values()];
    if (depth > 0 && children.length === 0) {
      if (sketch.kind === 'final') return { ...config, type: 'final', entry: sketch.entry };
      if (sketch.kind === 'shallow' || sketch.kind === 'deep')
        return { ...config, type: 'history', history: sketch.kind };
    }
    const first = children.find(({ kind, children: inner }) => kind === 'plain' || inner.length > 0);
    if (first !== undefined) {
      config['states'] = Object.fromEntries(
        children.map((child) => [child.key, this.#state(child, depth + 1)]),
      );
      if (sketch.kind === 'parallel') config['type'] = 'parallel';
      else config['initial'] = first.key;
      if (sketch.done !== undefined) config['onDone'] = this.#move(sketch.done);
    }
    const list = (moves: readonly Move[]): unknown =>
      moves.length === 1 && moves[0] !== undefined ? this.#move(moves[0]) : moves.map((it) => this.#move(it));
    config['entry'] = sketch.entry;
    config['exit'] = sketch.exit;
    config['on'] = Object.fromEntries(sketch.on.map(([event, moves]) => [event, list(moves)]));
    config['after'] = Object.fromEntries(sketch.after.map(([delay, it]) => [delay, this.#move(it)]));
    config['always'] = sketch.always.map((it) => this.#move(it));
    if (sketch.invoke !== undefined)
      config['invoke'] = { src: sketch.invoke, onDone: list(sketch.always), onError: {} };
    return config;
  }
}

/** A machine with structure only; a counterexample is printed as its config. */
export const machines: fc.Arbitrary<AnyStateMachine> = node.map((sketch) => {
  const config = new Scribe().root(sketch);
  const machine = createMachine(config as never) as unknown as AnyStateMachine;
  return Object.defineProperty(machine, fc.toStringMethod, { value: () => JSON.stringify(config) });
});
