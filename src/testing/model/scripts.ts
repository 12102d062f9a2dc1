// Invoked and spawned actors in a test: each is replaced by one that does nothing until a script says what.
// Invariant: the machine's own object is never changed; states, transitions, guards and actions stay what they are.
import {
  createMachine,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyStateMachine,
  type EventObject,
} from 'xstate';
import type { Outcome } from './steps.ts';

/** For each invoked or spawned actor, by its `src` or its id, what it may do: each is tried wherever the actor lives. */
export type Scripts = Readonly<Record<string, readonly Outcome[]>>;

const ANSWER = 'holdfast.outcome';

interface StubSnapshot {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly output: unknown;
  readonly error: unknown;
  readonly context: unknown;
}

/** Logic of an actor that waits for its script. It takes any input and ignores any other event. */
const stub = {
  getInitialSnapshot: (): StubSnapshot => ({
    status: 'active',
    output: undefined,
    error: undefined,
    context: undefined,
  }),
  getPersistedSnapshot: (snapshot: StubSnapshot): StubSnapshot => snapshot,
  transition(snapshot: StubSnapshot, event: EventObject & { outcome?: Outcome }): StubSnapshot {
    if (event.type === 'xstate.stop') return { ...snapshot, status: 'stopped' };
    const { outcome } = event;
    if (event.type !== ANSWER || outcome === undefined) return snapshot;
    if ('output' in outcome) return { ...snapshot, status: 'done', output: outcome.output };
    if ('error' in outcome) return { ...snapshot, status: 'error', error: outcome.error };
    return 'snapshot' in outcome ? { ...snapshot, context: outcome.snapshot } : snapshot;
  },
} as unknown as AnyActorLogic;

/** Has a scripted actor do its part. What it tells its parent is sent by whoever drives the parent. */
export function answer(child: AnyActorRef, outcome: Outcome): void {
  child.send({ type: ANSWER, outcome } as EventObject);
}

/** The event by which the parent learns of the outcome. */
export function eventOf(id: string, outcome: Outcome): EventObject {
  if ('output' in outcome)
    return { type: `xstate.done.actor.${id}`, output: outcome.output, actorId: id } as EventObject;
  if ('error' in outcome)
    return { type: `xstate.error.actor.${id}`, error: outcome.error, actorId: id } as EventObject;
  if ('snapshot' in outcome) {
    const snapshot = { status: 'active', output: undefined, error: undefined, context: outcome.snapshot };
    return { type: `xstate.snapshot.${id}`, snapshot } as EventObject;
  }
  return outcome.event;
}

interface InvokeConfig {
  readonly src: unknown;
  readonly id?: string;
}

interface NodeConfig {
  readonly invoke?: InvokeConfig | readonly InvokeConfig[];
  readonly states?: Readonly<Record<string, NodeConfig>>;
}

const invokesOf = ({ invoke }: NodeConfig): readonly InvokeConfig[] =>
  invoke === undefined ? [] : ([invoke].flat() as readonly InvokeConfig[]);

/** Config with a name for every logic that stands in the config itself: the id of the invoke. */
function named(
  config: NodeConfig,
  ids: (path: readonly string[], index: number) => string,
  path: readonly string[],
): NodeConfig {
  const invoke = invokesOf(config).map((one, index) =>
    typeof one.src === 'string' ? one : { ...one, src: one.id ?? ids(path, index) },
  );
  const states = Object.entries(config.states ?? {}).map(([key, state]) => [
    key,
    named(state, ids, [...path, key]),
  ]);
  return {
    ...config,
    ...(invoke.length === 0 ? {} : { invoke }),
    ...(config.states === undefined
      ? {}
      : { states: Object.fromEntries(states) as NodeConfig['states'] & object }),
  };
}

function sourcesOf(config: NodeConfig): string[] {
  const here = invokesOf(config).map(({ src }) => src);
  const below = Object.values(config.states ?? {}).flatMap(sourcesOf);
  return [...here.filter((src) => typeof src === 'string'), ...below];
}

/** The same machine, its invoked actors and those that it spawns by name replaced by scripted ones. */
export function withScriptedActors(machine: AnyStateMachine): AnyStateMachine {
  const config = machine.config as NodeConfig;
  const hasInline = (node: NodeConfig): boolean =>
    invokesOf(node).some(({ src }) => typeof src !== 'string') ||
    Object.values(node.states ?? {}).some(hasInline);
  const idOf = (path: readonly string[], index: number): string => {
    const node = path.reduce((at, key) => at.states[key] ?? at, machine.root as AnyStateMachine['root']);
    return node.invoke[index]?.id ?? `${index}.${node.id}`;
  };
  const plain = hasInline(config)
    ? (createMachine(named(config, idOf, []) as never, machine.implementations as never) as AnyStateMachine)
    : machine;
  const names = new Set([
    ...sourcesOf(plain.config as NodeConfig),
    ...Object.keys(machine.implementations.actors ?? {}),
  ]);
  if (names.size === 0) return machine;
  return plain.provide({ actors: Object.fromEntries([...names].map((name) => [name, stub])) } as never);
}
