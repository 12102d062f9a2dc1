// Folds the messages of an inspection stream into the fleet as it is after them.
// Invariant: equal messages in equal order give an equal model, and every table has a named maximum.
import type {
  Dropped,
  FleetSaid,
  Hello,
  MachineSaid,
  NodeRow,
  Present,
  ProcessSaid,
  Sampled,
  Step,
  Told,
} from '../../src/protocol/inspection.ts';
import { actorAfter, actorFrom, isKnown } from './actors.ts';
import {
  actorKey,
  type ActorKey,
  type ActorView,
  type FleetView,
  type MachineDocument,
  type MachineView,
  type Model,
  type ProcessView,
} from './model.ts';

export const foldLimits = {
  /** Actors that have ended and are still shown; the oldest go first. */
  maxEnded: 1_000,
  /** Processes that are gone, kept with their actors until they come back; the oldest go first. */
  maxGone: 5_000,
  /** Live actors; what begins beyond is not shown, and counted as dropped. */
  maxActors: 100_000,
  /** Charts of machines. */
  maxMachines: 500,
} as const;

interface MachineTally extends MachineView {
  document: MachineDocument | undefined;
  readonly documents: Map<string, MachineDocument>;
  readonly states: Map<string, number>;
  began: number;
  shown: number;
}

const nothing: FleetView = { at: 0, hub: undefined, nodes: new Map(), training: undefined, pools: [] };

export class Fold implements Model {
  version = 0;
  at = 0;
  hello: Hello | undefined;
  began: Model['began'];
  dropped = 0;
  unexpected = 0;
  fleet: FleetView = nothing;
  readonly processes: Map<string, ProcessView>;
  readonly actors: Map<ActorKey, ActorView>;
  readonly machines: Map<string, MachineTally>;
  readonly links: Map<string, ActorKey>;
  /** Keys by process, so that a `present` and a farewell need not look at all actors. */
  readonly #keys: Map<string, Set<ActorKey>>;
  /** What a `present` that goes on has not named yet. */
  readonly #unnamed = new Map<string, Set<ActorKey>>();
  readonly #ended: Set<ActorKey>;
  readonly #gone: Set<string>;

  constructor(from?: Fold) {
    this.processes = new Map(from?.processes);
    this.actors = new Map(from?.actors);
    this.links = new Map(from?.links);
    this.machines = new Map();
    for (const [name, tally] of from?.machines ?? []) {
      const copies = { documents: new Map(tally.documents), states: new Map(tally.states) };
      this.machines.set(name, { ...tally, ...copies });
    }
    this.#keys = new Map([...(from?.keys ?? [])].map(([process, keys]) => [process, new Set(keys)]));
    this.#ended = new Set(from?.ended);
    this.#gone = new Set(from?.gone);
    if (from === undefined) return;
    this.version = from.version;
    this.at = from.at;
    this.hello = from.hello;
    this.began = from.began;
    this.dropped = from.dropped;
    this.unexpected = from.unexpected;
    this.fleet = { ...from.fleet, nodes: new Map(from.fleet.nodes) };
  }

  private get keys(): ReadonlyMap<string, Set<ActorKey>> {
    return this.#keys;
  }
  private get ended(): ReadonlySet<ActorKey> {
    return this.#ended;
  }
  private get gone(): ReadonlySet<string> {
    return this.#gone;
  }

  /** A copy that goes its own way. Views and rows are shared: they never change. */
  fork(): Fold {
    return new Fold(this);
  }

  /** Whether this is a step that was folded before. */
  knows(told: Told): boolean {
    return told.kind === 'step' && isKnown(told, this.actors.get(actorKey(told.process, told.actor)));
  }

  apply(told: Told): void {
    this.version += 1;
    if ('at' in told && told.at > this.at) this.at = told.at;
    switch (told.kind) {
      case 'hello':
        return this.#hello(told);
      case 'process':
        return this.#process(told);
      case 'machine':
        return this.#machine(told);
      case 'present':
        return this.#present(told);
      case 'step':
        return this.#step(told);
      case 'dropped':
        return this.#dropped(told);
      case 'sampled':
        return this.#sampled(told);
      case 'fleet':
        return this.#fleet(told);
      case 'answer':
    }
  }

  /** A stream begins: who is still here is told next. A server that was killed said no farewell of its own. */
  #hello(hello: Hello): void {
    this.hello = hello;
    this.began ??= hello;
    this.#unnamed.clear();
    for (const known of this.processes.values())
      if (known.state === 'here') this.#process({ ...known, kind: 'process', state: 'gone' });
  }

  #process({ process, role, name, at, state }: ProcessSaid): void {
    const before = this.processes.get(process)?.state ?? 'here';
    const keys = this.#keys.get(process) ?? [];
    // The living of a process that is gone are shown as they were last, and counted nowhere.
    if (before !== state) for (const key of keys) this.#leave(this.actors.get(key));
    this.processes.set(process, { process, role, name, at, state });
    if (before !== state) for (const key of keys) this.#enter(this.actors.get(key));
    this.#gone.delete(process);
    if (state === 'gone') this.#gone.add(process);
    for (const oldest of this.#gone) {
      if (this.#gone.size <= foldLimits.maxGone) break;
      this.#forget(oldest);
    }
  }

  #forget(process: string): void {
    for (const key of this.#keys.get(process) ?? []) this.#remove(key);
    this.#keys.delete(process);
    this.#gone.delete(process);
    this.processes.delete(process);
  }

  #machine({ machine, process, document }: MachineSaid): void {
    const tally = this.#tally(machine);
    if (process !== undefined) tally?.documents.set(process, document);
    else if (tally !== undefined) tally.document = document;
  }

  #present({ process, actors, more }: Present): void {
    const unnamed = this.#unnamed.get(process) ?? new Set(this.#keys.get(process));
    for (const now of actors) {
      const key = actorKey(process, now.actor);
      unnamed.delete(key);
      this.#put(key, actorFrom(now, process, this.actors.get(key)));
    }
    if (more === true) {
      this.#unnamed.set(process, unnamed);
      return;
    }
    this.#unnamed.delete(process);
    // Those that had ended are shown on; the others ended unseen.
    for (const key of unnamed) if (!this.#ended.has(key)) this.#remove(key);
  }

  #step(step: Step): void {
    const key = actorKey(step.process, step.actor);
    if (step.unexpected === true) this.unexpected += 1;
    this.#put(key, actorAfter(step, this.actors.get(key)));
  }

  #dropped({ steps }: Dropped): void {
    this.dropped += steps;
  }

  #sampled({ machine, began, shown }: Sampled): void {
    const tally = this.#tally(machine);
    if (tally === undefined) return;
    tally.began += began;
    tally.shown += shown;
  }

  #fleet({ at, whole, hub, nodes, gone, training, pools }: FleetSaid): void {
    const rows = whole ? new Map<string, NodeRow>() : (this.fleet.nodes as Map<string, NodeRow>);
    for (const row of nodes) rows.set(row.id, row);
    for (const id of gone) rows.delete(id);
    // What a message does not speak of is as it was.
    this.fleet = {
      at,
      hub: hub ?? this.fleet.hub,
      nodes: rows,
      training: training ?? this.fleet.training,
      pools: pools ?? this.fleet.pools,
    };
  }

  #put(key: ActorKey, now: ActorView): void {
    const before = this.actors.get(key);
    if (before === undefined) {
      if (this.actors.size >= foldLimits.maxActors) {
        this.dropped += 1;
        return;
      }
      let keys = this.#keys.get(now.process);
      if (keys === undefined) this.#keys.set(now.process, (keys = new Set()));
      keys.add(key);
      const owner = this.processes.get(now.process);
      if (now.machine === 'connection' && owner?.role === 'node') this.links.set(owner.name, key);
    } else this.#leave(before);
    this.actors.set(key, now);
    this.#enter(now);
    if (now.status === 'active') this.#ended.delete(key);
    else this.#end(key);
  }

  #end(key: ActorKey): void {
    this.#ended.delete(key);
    this.#ended.add(key);
    for (const oldest of this.#ended) {
      if (this.#ended.size <= foldLimits.maxEnded) break;
      this.#remove(oldest);
    }
  }

  #remove(key: ActorKey): void {
    const actor = this.actors.get(key);
    if (actor === undefined) return;
    this.#leave(actor);
    this.#ended.delete(key);
    this.actors.delete(key);
    this.#keys.get(actor.process)?.delete(key);
    const name = this.processes.get(actor.process)?.name ?? '';
    if (this.links.get(name) === key) this.links.delete(name);
  }

  #leave(actor: ActorView | undefined): void {
    this.#count(actor, -1);
  }

  #enter(actor: ActorView | undefined): void {
    this.#count(actor, 1);
  }

  #count(actor: ActorView | undefined, by: 1 | -1): void {
    if (actor?.status !== 'active' || this.processes.get(actor.process)?.state === 'gone') return;
    const states = this.#tally(actor.machine)?.states;
    if (states === undefined) return;
    const count = (states.get(actor.label) ?? 0) + by;
    if (count > 0) states.set(actor.label, count);
    else states.delete(actor.label);
  }

  #tally(machine: string): MachineTally | undefined {
    const known = this.machines.get(machine);
    if (known !== undefined || this.machines.size >= foldLimits.maxMachines) return known;
    const tally = {
      machine,
      document: undefined,
      documents: new Map<string, MachineDocument>(),
      states: new Map<string, number>(),
      began: 0,
      shown: 0,
    };
    this.machines.set(machine, tally);
    return tally;
  }
}
