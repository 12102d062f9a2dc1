// One app that is watched through `@statelyai/inspect`: its messages in, steps of its actors out.
// Invariant: an actor's steps are numbered without gaps, and a step's clock is greater than that of the step that led to it,
// in whatever order the two are told: XState tells what a child did before what its parent did.
import type { Present, Step, Told } from '../protocol/inspection.ts';
import type { StatelyActor, StatelyArrival, StatelyChange, StatelyEvent } from './stately-event.ts';
import { WatchedMachines } from './watched-machines.ts';
import { eventOf, stateOf, type WatchedState } from './watched-state.ts';

const MOST_ACTORS = 10_000;
/** Events that an actor was sent and has not said what it made of: one that crashed never says it. */
const MOST_PENDING = 1_000;

export interface WatchedAppOptions {
  /** Fleet-wide id of its process. */
  readonly process: string;
  tell(message: Told): void;
}

/** When an event came to an actor, and from which step. */
interface Arrival {
  readonly clock: number;
  readonly cause: Step['cause'];
}

interface Watched {
  readonly actor: string;
  readonly parent: string | undefined;
  readonly machine: string;
  /** By hand means: by calls to an inspector, with events and snapshots that do not belong to one another. */
  readonly reported: 'by XState' | 'by hand';
  readonly pending: (Arrival & { readonly type: string })[];
  seq: number;
  clock: number;
  since: number;
  now: WatchedState | undefined;
}

export class WatchedApp {
  readonly process: string;
  readonly #tell: (message: Told) => void;
  readonly #machines: WatchedMachines;
  /** By session id. */
  readonly #actors = new Map<string, Watched>();
  #clock = 0;

  constructor({ process, tell }: WatchedAppOptions) {
    this.process = process;
    this.#tell = tell;
    this.#machines = new WatchedMachines(process, tell);
  }

  /** @returns why the message was refused; undefined when it was not */
  take(said: StatelyEvent, at: number): string | undefined {
    switch (said.type) {
      case '@xstate.actor':
        return this.#registered(said, at);
      case '@xstate.event':
        return this.#arrived(said, at);
      case '@xstate.snapshot':
        return this.#changed(said, at);
    }
  }

  /** All actors that live. */
  present(at: number): Present {
    const actors = [...this.#actors.values()].flatMap(({ actor, machine, parent, seq, since, now }) => {
      if (now === undefined || now.status !== undefined) return [];
      const { state, context } = now;
      return [{ actor, machine, seq, since, state, ...given({ parent, context }) }];
    });
    return { kind: 'present', process: this.process, at, actors };
  }

  #registered(said: StatelyActor, at: number): string | undefined {
    const { sessionId, name, rootId, parentId, definition, snapshot } = said;
    const known = this.#actors.get(sessionId);
    if (known?.now !== undefined && known.now.status === undefined) {
      // By hand an actor may be told of again. Of XState's, the first snapshot was faster.
      if (known.reported === 'by hand') this.#set(known, snapshot, at);
      return undefined;
    }
    const machine = this.#machines.of(name, definition, snapshot);
    if (machine === undefined) return 'there are too many machines in this app';
    const reported = definition !== undefined && rootId !== undefined ? 'by XState' : 'by hand';
    const life = known?.now === undefined ? '' : `, after ${known.clock}`;
    const actor = name === sessionId ? `${sessionId}${life}` : `${name} (${sessionId}${life})`;
    const parent = parentId === undefined ? undefined : this.#actors.get(parentId)?.actor;
    const pending = known?.pending ?? [];
    const watched = this.#add(sessionId, { actor, parent, machine, reported, pending });
    if (watched === undefined) return `it has more than ${MOST_ACTORS} actors`;
    // XState's snapshot may be newer than the events that follow: the first of them begins the actor.
    if (reported === 'by hand') this.#set(watched, snapshot, at);
    return undefined;
  }

  #arrived({ sessionId, sourceId, event, rootId }: StatelyArrival, at: number): string | undefined {
    const watched = this.#find(sessionId, rootId);
    if (watched === undefined) return `it has more than ${MOST_ACTORS} actors`;
    this.#clock += 1;
    const arrival = { clock: this.#clock, cause: this.#causeFrom(sourceId) };
    if (watched.reported === 'by hand') {
      this.#step(watched, watched.now ?? { state: 'active' }, event, arrival, at);
    } else {
      watched.pending.push({ ...arrival, type: event.type });
      if (watched.pending.length > MOST_PENDING) watched.pending.shift();
    }
    return undefined;
  }

  #changed({ sessionId, event, snapshot, rootId }: StatelyChange, at: number): string | undefined {
    const watched = this.#find(sessionId, rootId, snapshot);
    if (watched === undefined) return `it has more than ${MOST_ACTORS} actors`;
    if (watched.reported === 'by hand') {
      this.#set(watched, snapshot, at);
      return undefined;
    }
    const place = watched.pending.findIndex(({ type }) => type === event.type);
    // Those before it found the actor unable to take them.
    const taken = place === -1 ? undefined : watched.pending.splice(0, place + 1).at(-1);
    this.#step(watched, stateOf(snapshot), event, taken ?? this.#unannounced(), at);
    return undefined;
  }

  /** What was reported by hand has no event: the new snapshot is all that is known. */
  #set(watched: Watched, snapshot: StatelyActor['snapshot'], at: number): void {
    const type = watched.now === undefined ? 'xstate.init' : 'snapshot';
    this.#step(watched, stateOf(snapshot), { type }, this.#unannounced(), at);
  }

  #unannounced(): Arrival {
    this.#clock += 1;
    return { clock: this.#clock, cause: undefined };
  }

  #step(watched: Watched, now: WatchedState, event: Step['event'], arrival: Arrival, at: number): void {
    const { actor, machine, parent, now: before } = watched;
    if (before?.status !== undefined) return;
    this.#machines.saw(machine, now.state);
    watched.seq += 1;
    watched.clock = Math.max(arrival.clock, watched.clock + 1);
    watched.now = now;
    if (JSON.stringify(before?.state) !== JSON.stringify(now.state)) watched.since = at;
    const { context, status, error } = now;
    const from = before?.state ?? null;
    const { seq, clock } = watched;
    const head = { kind: 'step', process: this.process, actor, machine, ...given({ parent }) } as const;
    const { cause } = arrival;
    const rest = given({ cause, context, status, error });
    this.#tell({ ...head, seq, at, clock, event: eventOf(event), from, to: now.state, ...rest });
  }

  /** What the actor is busy with when it sends: its oldest event without an outcome, or else its latest step. */
  #causeFrom(sourceId: string | undefined): Step['cause'] {
    const source = sourceId === undefined ? undefined : this.#actors.get(sourceId);
    if (source === undefined) return undefined;
    return { process: this.process, actor: source.actor, clock: source.pending[0]?.clock ?? source.clock };
  }

  /** An actor whose registration never came (it began before its app was watched) goes by its session id. */
  #find(
    sessionId: string,
    rootId: string | undefined,
    snapshot?: StatelyActor['snapshot'],
  ): Watched | undefined {
    const known = this.#actors.get(sessionId);
    if (known !== undefined) return known;
    const machine = this.#machines.of(sessionId, undefined, snapshot);
    if (machine === undefined) return undefined;
    const reported = rootId === 'anonymous' ? 'by hand' : 'by XState';
    return this.#add(sessionId, { actor: sessionId, parent: undefined, machine, reported, pending: [] });
  }

  #add(
    sessionId: string,
    who: Pick<Watched, 'actor' | 'parent' | 'machine' | 'reported' | 'pending'>,
  ): Watched | undefined {
    if (this.#actors.size >= MOST_ACTORS) this.#forgetEnded();
    if (this.#actors.size >= MOST_ACTORS) return undefined;
    const watched: Watched = { ...who, seq: 0, clock: 0, since: 0, now: undefined };
    this.#actors.set(sessionId, watched);
    return watched;
  }

  /** Until then they are kept, so that what comes late for them makes no new actor. */
  #forgetEnded(): void {
    for (const [sessionId, { now }] of this.#actors) {
      if (now?.status !== undefined) this.#actors.delete(sessionId);
    }
  }
}

function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter(([, one]) => one !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
