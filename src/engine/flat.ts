// Reads a flat machine (states without children, actions and guards by name) out of an XState machine object.
// Invariant: what the table compiler cannot run exactly as XState would is refused here, never approximated.
import type { AnyStateMachine, AnyStateNode } from 'xstate';

/** One way out of a (state, event) cell. `target` is a state's index, or -1 for a transition that stays. */
export interface FlatBranch {
  readonly guard: string | undefined;
  readonly target: number;
  readonly actions: readonly string[];
}

export interface FlatState {
  readonly name: string;
  readonly final: boolean;
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  readonly on: ReadonlyMap<string, readonly FlatBranch[]>;
  readonly after: FlatDelay | undefined;
}

export interface FlatDelay {
  readonly delay: string;
  /** Type of the event that XState would raise: `xstate.after.<delay>.<state id>`. */
  readonly event: string;
  readonly branches: readonly FlatBranch[];
}

export interface FlatMachine {
  readonly initial: number;
  readonly states: readonly FlatState[];
}

type Config = Readonly<Record<string, unknown>>;

const HARMLESS = ['id', 'description', 'meta', 'tags'];
const MACHINE_KEYS = new Set([...HARMLESS, 'version', 'types', 'context', 'initial', 'states', 'type']);
const STATE_KEYS = new Set([...HARMLESS, 'type', 'entry', 'exit', 'on', 'after']);
const TRANSITION_KEYS = new Set(['target', 'actions', 'guard', 'description', 'meta', 'reenter']);
/** Keys that XState adds to a transition when it builds the machine. */
const BUILT_KEYS = new Set(['source', 'eventType', 'toJSON', 'event', 'delay']);

const RUN_AS_ACTOR = 'run this machine as an XState actor (drive), or leave it out';

const REMEDIES: Readonly<Record<string, string>> = {
  states: `flatten the states, or ${RUN_AS_ACTOR}`,
  always: 'choose the target by guards in the transitions that lead here',
  invoke: 'name an effect that starts the work, and let its outcome come back as an event',
  on: 'write the transition into each state',
  after: 'write the delay into each state',
  output: 'let an effect of the final state read the context',
  onDone: 'let an effect of the final state tell whoever waits',
};

/** @throws Error that names the machine, the state, the feature and the remedy; always. */
export function refuse(machine: string, state: string, feature: string, remedy: string): never {
  throw new Error(
    `cannot compile machine ${machine}, state ${state}: ${feature} is outside the subset; ${remedy}`,
  );
}

/** A reader of one machine; its methods refuse with the place that they are at. */
class FlatReader {
  readonly machine: AnyStateMachine;
  readonly names: readonly string[];

  constructor(machine: AnyStateMachine) {
    this.machine = machine;
    this.names = Object.keys(machine.root.states);
  }

  refuse(state: string, feature: string, remedy: string): never {
    return refuse(this.machine.id, state, feature, remedy);
  }

  read(): FlatMachine {
    const config = this.machine.config as Config;
    if (config['type'] === 'parallel') this.refuse('(root)', 'type: parallel', RUN_AS_ACTOR);
    this.demandKeys('(root)', config, MACHINE_KEYS);
    if (this.names.length === 0) this.refuse('(root)', 'no states', 'give it at least one state');
    if (typeof config['initial'] !== 'string') {
      this.refuse(
        '(root)',
        'initial that is not a name',
        'name the initial state; put actions into its entry',
      );
    }
    const states = Object.values(this.machine.root.states).map((node) => this.state(node));
    return { initial: this.names.indexOf(config['initial']), states };
  }

  private demandKeys(state: string, config: Config, allowed: ReadonlySet<string>): void {
    for (const [key, value] of Object.entries(config)) {
      if (value !== undefined && !allowed.has(key)) this.refuse(state, key, REMEDIES[key] ?? RUN_AS_ACTOR);
    }
  }

  private state(node: AnyStateNode): FlatState {
    const name = node.key;
    const config = node.config as Config;
    if (node.type !== 'atomic' && node.type !== 'final') {
      const feature = node.type === 'compound' ? 'nested states' : `type: ${node.type}`;
      this.refuse(name, feature, `flatten the states, or ${RUN_AS_ACTOR}`);
    }
    this.demandKeys(name, config, STATE_KEYS);
    const final = node.type === 'final';
    if (final && (config['on'] !== undefined || config['after'] !== undefined)) {
      this.refuse(name, 'transitions of a final state', 'take them away: nothing happens after the end');
    }
    const on = new Map<string, readonly FlatBranch[]>();
    for (const type of Object.keys((config['on'] ?? {}) as object)) {
      if (type.endsWith('*')) this.refuse(name, `wildcard ${type}`, 'name each event');
      on.set(type, this.branches(node, type));
    }
    return {
      name,
      final,
      entry: this.actions(name, config['entry']),
      exit: this.actions(name, config['exit']),
      on,
      after: this.after(node, (config['after'] ?? {}) as object),
    };
  }

  private after(node: AnyStateNode, config: object): FlatDelay | undefined {
    const delays = Object.keys(config);
    const delay = delays[0];
    if (delay === undefined) return undefined;
    if (delays.length > 1) {
      this.refuse(node.key, `more than one after (${delays.join(', ')})`, 'split the state, one delay each');
    }
    if (!Number.isNaN(Number(delay))) {
      this.refuse(
        node.key,
        `after ${delay} in milliseconds`,
        'name the delay and implement it in setup({ delays })',
      );
    }
    const event = `xstate.after.${delay}.${node.id}`;
    return { delay, event, branches: this.branches(node, event) };
  }

  private branches(node: AnyStateNode, type: string): FlatBranch[] {
    return (node.transitions.get(type) ?? []).map((transition) => {
      const { target, actions, guard, reenter } = transition;
      for (const key of Object.keys(transition)) {
        if (!TRANSITION_KEYS.has(key) && !BUILT_KEYS.has(key))
          this.refuse(node.key, `${key} on ${type}`, RUN_AS_ACTOR);
      }
      if (reenter) this.refuse(node.key, `reenter on ${type}`, 'go through another state');
      if (target !== undefined && target.length !== 1) {
        this.refuse(node.key, `several targets on ${type}`, 'name one target');
      }
      if (guard !== undefined && typeof guard !== 'string') {
        const feature = typeof guard === 'function' ? 'inline guard' : 'guard with parameters';
        this.refuse(
          node.key,
          `${feature} on ${type}`,
          'name the guard and implement it in setup({ guards })',
        );
      }
      return {
        guard,
        target: this.target(node, type, target?.[0]),
        actions: this.actions(node.key, actions),
      };
    });
  }

  private target(node: AnyStateNode, type: string, target: AnyStateNode | undefined): number {
    if (target === undefined || target === node) return -1; // without `reenter`, XState neither leaves nor enters
    if (target.parent !== this.machine.root) {
      this.refuse(node.key, `target ${target.id} on ${type}`, 'name a state of this machine');
    }
    return this.names.indexOf(target.key);
  }

  private actions(state: string, config: unknown): string[] {
    const list: readonly unknown[] = config === undefined ? [] : Array.isArray(config) ? config : [config];
    return list.map((action) => {
      if (typeof action === 'string') return action;
      const feature = typeof action === 'function' ? 'inline action' : 'action with parameters';
      return this.refuse(state, feature, 'name the action and implement it in setup({ actions })');
    });
  }
}

/**
 * The states, transitions and action names of a flat machine.
 *
 * @throws Error that names machine, state, feature and remedy, for everything outside the subset
 */
export function readFlat(machine: AnyStateMachine): FlatMachine {
  return new FlatReader(machine).read();
}
