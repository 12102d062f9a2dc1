// Actors that XState runs by itself, as a source of an inspection stream: for its own `createActor(machine, { inspect })`.
// Invariant: only listens; of an actor that ended nothing is kept, and while nobody looks only where actors are is.
import type { AnyActorRef, AnyMachineSnapshot, AnyStateMachine, EventObject, InspectionEvent } from 'xstate';
import type { Ending } from '../../actors/actor.ts';
import type { LiveActor, TimerRecord, WatchRecord } from '../../actors/inspection.ts';
import { delayName } from '../../engine/step.ts';
import { INIT, STOP } from '../../engine/transition-record.ts';
import type { Source } from './collector.ts';

interface Known {
  readonly live: LiveActor & { since: number };
  /** Event that is being handled, and those that wait behind it. */
  events: EventObject[];
}

type Unnumbered<R = WatchRecord> = R extends { readonly seq: number } ? Omit<R, 'seq' | 'at'> : R;

export class XStateSource implements Source {
  readonly #now: () => number;
  readonly #known = new Map<AnyActorRef, Known>();
  readonly #ids = new Set<string>();
  readonly #watchers = new Set<(record: WatchRecord) => void>();

  constructor(now: () => number) {
    this.#now = now;
  }

  watch(watcher: (record: WatchRecord) => void): () => void {
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  living(): LiveActor[] {
    return [...this.#known.values()].map(({ live }) => live);
  }

  /** For the option `inspect` of `createActor`. */
  readonly inspect = (inspected: InspectionEvent): void => {
    const actor = inspected.actorRef as AnyActorRef;
    if (inspected.type === '@xstate.event' && inspected.event.type === INIT)
      return this.#starts(actor, inspected.event);
    const known = this.#known.get(actor);
    if (known === undefined) return;
    switch (inspected.type) {
      case '@xstate.event':
        known.events.push(inspected.event);
        this.#tell({ kind: 'sent', event: inspected.event });
        if (known.events.length === 1) this.#begins(known);
        return;
      case '@xstate.microstep':
        if (inspected._transitions.length > 0)
          this.#tell({
            kind: 'microstep',
            actor: known.live.id,
            snapshot: inspected.snapshot as AnyMachineSnapshot,
          });
        else if (!inspected.event.type.startsWith('xstate.'))
          this.#tell({ kind: 'unexpected', actor: known.live.id, event: inspected.event, state: '' });
        return;
      case '@xstate.action':
        return this.#acts(known, inspected.action);
      case '@xstate.snapshot':
        return this.#handled(actor, known, inspected.event, inspected.snapshot as AnyMachineSnapshot);
      default:
        return undefined;
    }
  };

  #starts(actor: AnyActorRef, event: EventObject): void {
    const machine = machineOf(actor);
    if (machine === undefined || this.#known.has(actor)) return;
    const id = this.#idOf(actor);
    const parent = (actor as { readonly _parent?: AnyActorRef })._parent;
    const parentId = parent && this.#known.get(parent)?.live.id;
    const snapshot = (): AnyMachineSnapshot => actor.getSnapshot() as AnyMachineSnapshot;
    const live = { id, machine, parentId, since: this.#now(), snapshot, timers: () => [] };
    this.#known.set(actor, { live, events: [event] });
    const { input } = event as { readonly input?: unknown };
    this.#tell({ kind: 'created', actor: id, machine, input, parent: parentId, restarts: 0 });
  }

  /** Ids of root actors need not differ between XState's systems; here they do. */
  #idOf(actor: AnyActorRef): string {
    const path = pathOf(actor);
    let id = path;
    for (let n = 2; this.#ids.has(id); n += 1) id = `${path}#${n}`;
    this.#ids.add(id);
    return id;
  }

  #begins({ live, events }: Known): void {
    const [event] = events;
    if (event !== undefined && event.type !== STOP) this.#tell({ kind: 'event', actor: live.id, event });
  }

  #acts({ live }: Known, { type, params }: { readonly type: string; readonly params: unknown }): void {
    const actor = live.id;
    const timer = timerOf(type, params);
    if (timer !== undefined) this.#tell({ kind: 'timer', actor, timer });
    else if (!type.startsWith('xstate.'))
      this.#tell({ kind: 'effect', actor, effect: type, payload: params });
  }

  #handled(ref: AnyActorRef, known: Known, event: EventObject, snapshot: AnyMachineSnapshot): void {
    const { live } = known;
    const actor = live.id;
    known.events.shift();
    live.since = this.#now();
    if (snapshot.status === 'error')
      this.#tell({ kind: 'crashed', actor, error: snapshot.error, then: 'stop' });
    else if (event.type === INIT) this.#tell({ kind: 'started', actor, state: '', snapshot });
    else if (event.type !== STOP) this.#tell({ kind: 'handled', actor, event, snapshot });
    const isOver = event.type === STOP || snapshot.status !== 'active';
    if (!isOver) return this.#begins(known);
    this.#known.delete(ref);
    this.#ids.delete(actor);
    this.#tell({ kind: 'ended', actor, ending: endingOf(snapshot) });
  }

  #tell(record: Unnumbered): void {
    if (this.#watchers.size === 0) return;
    // Nobody counts these: the collector numbers the steps of each actor.
    const whole = { seq: 0, at: 0, ...record } as WatchRecord;
    for (const watcher of this.#watchers) watcher(whole);
  }
}

function machineOf(actor: AnyActorRef): AnyStateMachine | undefined {
  const { logic } = actor as unknown as { readonly logic?: object };
  return logic !== undefined && 'root' in logic ? (logic as AnyStateMachine) : undefined;
}

function endingOf({ status, error }: AnyMachineSnapshot): Ending {
  if (status === 'error') return { status, error };
  return status === 'done' ? { status, output: undefined } : { status: 'stopped' };
}

function pathOf({ id, _parent: parent }: AnyActorRef): string {
  return parent === undefined ? id : `${pathOf(parent)}/${id}`;
}

/** What XState's own actions begin and end. */
function timerOf(type: string, params: unknown): TimerRecord | undefined {
  if (type === 'xstate.cancel') return { cleared: String((params as { readonly sendId: unknown }).sendId) };
  if (type !== 'xstate.raise') return undefined;
  const { id, delay } = params as { readonly id?: string; readonly delay?: number };
  return id === undefined || delay === undefined ? undefined : { id, name: delayName(id), delayMs: delay };
}
