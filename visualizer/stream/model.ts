// The fleet as the page knows it: processes, actors, machines, nodes.
// Invariant: an ActorView, a ProcessView and a row never change once made; the maps that hold them do.
import type {
  Hello,
  HubSaid,
  MachineSaid,
  NodeRow,
  PoolSaid,
  Role,
  StateValue,
  Step,
  TimerNow,
  TrainingSaid,
} from '../../src/protocol/inspection.ts';

export type MachineDocument = MachineSaid['document'];

/** Names one actor of the whole fleet. */
export type ActorKey = string;

export function actorKey(process: string, actor: string): ActorKey {
  return `${process} ${actor}`;
}

/** One state that an actor was in, and since when: its label, so that what goes on within a state is no new stay. */
export interface Stay {
  readonly label: string;
  readonly at: number;
}

export interface ActorView {
  readonly key: ActorKey;
  readonly process: string;
  readonly actor: string;
  readonly machine: string;
  readonly parent?: string | undefined;
  /** Of the latest step known. */
  readonly seq: number;
  /** Number and moment of the latest step that was told: a `present` may be ahead of it. */
  readonly heard: { readonly seq: number; readonly at: number };
  /** When it entered its state. */
  readonly since: number;
  /** Null when its start crashed. */
  readonly state: StateValue | null;
  /** The state as people read it: `establishing.registering`. */
  readonly path: string;
  /** The state in one word: `registering`. */
  readonly label: string;
  readonly status: 'active' | 'done' | 'stopped' | 'error';
  readonly context?: unknown;
  readonly timers: readonly TimerNow[];
  /** How often each transition was seen, by `transitionKey`. */
  readonly taken: ReadonlyMap<string, number>;
  /** Its latest states, the present one last. */
  readonly trail: readonly Stay[];
  /** The latest step that was seen. */
  readonly last?: Step | undefined;
}

/** Names one transition of a machine, whichever actor took it. */
export function transitionKey(from: string, event: string, to: string): string {
  return `${from}\n${event}\n${to}`;
}

export interface ProcessView {
  readonly process: string;
  readonly role: Role;
  readonly name: string;
  readonly state: 'here' | 'gone';
  readonly at: number;
}

export interface MachineView {
  readonly machine: string;
  /** Undefined when its chart was never told. */
  readonly document: MachineDocument | undefined;
  /** Of processes that know another machine of that name. */
  readonly documents: ReadonlyMap<string, MachineDocument>;
  /** How many live actors are in each state, by label. */
  readonly states: ReadonlyMap<string, number>;
  /** Of all actors that began, and of those that are shown, where some are left out. */
  readonly began: number;
  readonly shown: number;
}

export interface FleetView {
  readonly at: number;
  readonly hub: HubSaid | undefined;
  readonly nodes: ReadonlyMap<string, NodeRow>;
  readonly training: TrainingSaid | undefined;
  readonly pools: readonly PoolSaid[];
}

export interface Model {
  /** Grows with each change. */
  readonly version: number;
  /** The latest moment that is known of, in milliseconds of the stream's clock. */
  readonly at: number;
  /** The latest one. */
  readonly hello: Hello | undefined;
  /** The first one: times of day are counted from it, so that one moment has one time of day. */
  readonly began: Pick<Hello, 'at' | 'wallTime'> | undefined;
  readonly processes: ReadonlyMap<string, ProcessView>;
  readonly actors: ReadonlyMap<ActorKey, ActorView>;
  readonly machines: ReadonlyMap<string, MachineView>;
  readonly fleet: FleetView;
  /** The connection machine of each node's process, by the node's id. */
  readonly links: ReadonlyMap<string, ActorKey>;
  /** Steps that were not told to us. */
  readonly dropped: number;
  /** Events that no state handled: each is a defect. */
  readonly unexpected: number;
}
