// Collects what the actors of one process do, while somebody watches.
// Invariant: while nobody watches nothing is listened to; and what is told never outgrows its rate: steps beyond it are
// counted, and a fresh `present` follows, so that a viewer's truth heals.
import type { AnyStateMachine, EventObject } from 'xstate';
import type { LiveActor, WatchRecord } from '../../actors/inspection.ts';
import type { Clock, Timer } from '../../ports.ts';
import type { ActorNow, Role, StateValue, Told } from '../../protocol/inspection.ts';
import { toDocument } from '../document.ts';
import { Bucket } from './bucket.ts';
import { OpenStep, type Cause, type Followed, type Outcome } from './open-step.ts';
import { redact, type Payloads } from './redact.ts';
import { presents } from './truth.ts';

/** Where actors live: an actor system, or the actors that XState runs by itself. */
export interface Source {
  watch(watcher: (record: WatchRecord) => void): () => void;
  living(): readonly LiveActor[];
}

/** Machines that run by the hundred thousand: only their collector knows how to follow some of them. */
export interface Sampled {
  /** Begins to tell; returns what ends it. */
  follow(collector: Collector): () => void;
  /** Those that are followed. */
  living(): readonly ActorNow[];
}

export interface CollectorOptions {
  readonly clock: Clock;
  /** Fleet-wide: `node/n3/9ab2c04d`. */
  readonly process: string;
  readonly role: Role;
  readonly name: string;
}

/** How it is to be told. */
export interface Wishes {
  /** @default false */
  readonly contexts?: boolean | undefined;
  /** @default 'redacted' */
  readonly payloads?: Payloads | undefined;
  /** @default 1000 */
  readonly stepsPerSecond?: number | undefined;
}

/** From the first step that was left out to the `present` that makes up for it; longer when that costs much. */
const HEAL_MS = 500;
/** A `present` may take this part of the time. */
const HEAL_SHARE = 0.02;
export const STEPS_PER_SECOND = 1_000;

interface Watching {
  readonly tell: (message: Told) => void;
  readonly contexts: boolean;
  readonly payloads: Payloads;
  readonly stepsPerSecond: number;
  bucket: Bucket;
  readonly followed: Map<string, Followed>;
  readonly machines: Map<string, AnyStateMachine>;
  readonly ends: (() => void)[];
  readonly causes: WeakMap<EventObject, Cause>;
}

export class Collector {
  readonly process: string;
  readonly #options: CollectorOptions;
  readonly #clock: Clock;
  readonly #sources = new Set<Source>();
  readonly #sampled = new Set<Sampled>();
  #watching: Watching | undefined;
  #lamport = 0;
  /** Actors whose event is being handled, the innermost last. */
  readonly #handling: Followed[] = [];
  /** The step of another process whose message is being read. */
  #remote: Cause | undefined;
  #dropped = 0;
  #healTimer: Timer | undefined;
  #healMs = HEAL_MS;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.process = options.process;
    this.#clock = options.clock;
  }

  get isWatching(): boolean {
    return this.#watching !== undefined;
  }

  /** Whether steps are to have contexts. */
  get contexts(): boolean {
    return this.#watching?.contexts ?? false;
  }

  get stepsPerSecond(): number {
    return this.#watching?.stepsPerSecond ?? 0;
  }

  /** From now on, until the function that it returns is called. */
  add(source: Source): () => void {
    this.#sources.add(source);
    const watching = this.#watching;
    let end: (() => void) | undefined;
    if (watching !== undefined) {
      end = source.watch((record) => this.#record(watching, record));
      watching.ends.push(end);
      this.#present(watching);
    }
    return () => {
      this.#sources.delete(source);
      end?.();
    };
  }

  /** The same, for machines of which only some actors are followed. */
  addSampled(sampled: Sampled): void {
    this.#sampled.add(sampled);
    if (this.#watching !== undefined) this.#watching.ends.push(sampled.follow(this));
  }

  /** Tells `tell` of the process, then of all its actors, then of each step. Whoever was told before is not any more. */
  start(tell: (message: Told) => void, wishes: Wishes = {}): void {
    this.stop();
    const { process, role, name } = this.#options;
    const now = this.#clock.now();
    const { stepsPerSecond = STEPS_PER_SECOND } = wishes;
    const watching: Watching = {
      tell,
      contexts: wishes.contexts ?? false,
      payloads: wishes.payloads ?? 'redacted',
      stepsPerSecond,
      bucket: new Bucket(stepsPerSecond, now),
      followed: new Map(),
      machines: new Map(),
      ends: [],
      causes: new WeakMap(),
    };
    this.#watching = watching;
    tell({ kind: 'process', process, role, name, at: now, state: 'here' });
    for (const source of this.#sources)
      watching.ends.push(source.watch((record) => this.#record(watching, record)));
    this.#present(watching);
    for (const sampled of this.#sampled) watching.ends.push(sampled.follow(this));
  }

  /** Tells whoever is told now once more who this is, then what `before` tells, then where every actor stands. */
  again({ stepsPerSecond = STEPS_PER_SECOND }: Wishes, before: () => void): void {
    const watching = this.#watching;
    if (watching === undefined) return;
    const { process, role, name } = this.#options;
    const now = this.#clock.now();
    watching.bucket = new Bucket(stepsPerSecond, now);
    watching.tell({ kind: 'process', process, role, name, at: now, state: 'here' });
    for (const machine of watching.machines.values()) this.#tellMachine(watching, machine);
    before();
    this.#present(watching);
  }

  stop(): void {
    for (const end of this.#watching?.ends ?? []) end();
    this.#watching = undefined;
    this.#handling.length = 0;
    this.#remote = undefined;
    this.#dropped = 0;
    if (this.#healTimer !== undefined) this.#clock.clearTimer(this.#healTimer);
    this.#healTimer = undefined;
  }

  /** All that is left out of a stream that cannot take it, with a `present` that makes up for it soon. */
  drop(steps = 1): void {
    if (this.#watching === undefined) return;
    this.#dropped += steps;
    this.#healTimer ??= this.#clock.setTimer(() => this.#heal(), this.#healMs);
  }

  // ---- causes ----

  /** The step that is being taken right now, for a message that its effects send; undefined outside of any. */
  stamp(): Cause | undefined {
    if (this.#watching === undefined) return undefined;
    const followed = this.#handling[this.#handling.length - 1];
    if (followed?.open === undefined) return undefined;
    return { process: this.process, actor: followed.actor, clock: followed.open.clock };
  }

  /** What is told to actors from now on was caused by this step of another process; undefined: by none. */
  reading(cause: Cause | undefined): void {
    this.#remote = cause;
  }

  // ---- for machines that run on tables ----

  /** A step of an actor that no source knows. */
  tellStep(followed: Followed, event: EventObject, outcome: Outcome, cause?: Cause): void {
    const watching = this.#watching;
    if (watching === undefined) return;
    const open = this.#open(watching, followed, event, cause ?? this.stamp() ?? this.#remote);
    this.#close(watching, followed, open, outcome);
  }

  tell(message: Told): void {
    this.#watching?.tell(message);
  }

  sayMachine(machine: AnyStateMachine): void {
    const watching = this.#watching;
    if (watching !== undefined) this.#sayMachine(watching, machine);
  }

  now(): number {
    return this.#clock.now();
  }

  // ---- records of a source ----

  #record(watching: Watching, record: WatchRecord): void {
    if (watching !== this.#watching) return;
    if (record.kind === 'sent') {
      const cause = this.stamp() ?? this.#remote;
      if (cause === undefined) watching.causes.delete(record.event);
      else watching.causes.set(record.event, cause);
      return;
    }
    if (record.kind === 'created') {
      const { actor, machine, parent, input } = record;
      this.#sayMachine(watching, machine);
      const seq = watching.followed.get(actor)?.seq ?? 0;
      const followed = follow({ actor, machine: machine.id, parent }, seq);
      watching.followed.set(actor, followed);
      const event = { type: 'xstate.init', ...(input === undefined ? {} : { input }) };
      followed.open = this.#open(watching, followed, event, this.stamp() ?? this.#remote);
      this.#handling.push(followed);
      return;
    }
    const followed = watching.followed.get(record.actor);
    if (followed !== undefined) this.#recordOf(watching, followed, record);
  }

  #recordOf(
    watching: Watching,
    followed: Followed,
    record: Exclude<WatchRecord, { kind: 'sent' } | { kind: 'created' }>,
  ): void {
    const { open } = followed;
    switch (record.kind) {
      case 'event': {
        const cause = watching.causes.get(record.event);
        followed.open = this.#open(watching, followed, record.event, cause);
        this.#handling.push(followed);
        return;
      }
      case 'started':
      case 'handled': {
        const { value, context, status } = record.snapshot;
        const to = value as StateValue;
        return this.#settle(watching, followed, {
          to,
          ...(watching.contexts ? { context: context as unknown } : {}),
          ...(status === 'done' ? { status } : {}),
        });
      }
      case 'effect':
        return open?.effect(record.effect, record.payload, watching.payloads);
      case 'timer':
        if (open === undefined) followed.timers.push(record.timer);
        else open.timer(record.timer);
        return;
      case 'microstep':
        return open?.passed(record.snapshot.value as StateValue);
      case 'unexpected':
        if (open !== undefined) open.unexpected = true;
        return;
      case 'crashed':
        return this.#settle(watching, followed, {
          to: followed.state,
          status: 'error',
          error: record.error,
        });
      case 'ended':
        if (record.ending.status === 'stopped') {
          followed.open ??= this.#open(
            watching,
            followed,
            { type: 'xstate.stop' },
            this.stamp() ?? this.#remote,
          );
          this.#settle(watching, followed, { to: followed.state, status: 'stopped' });
        }
        watching.followed.delete(record.actor);
        return;
      default:
        return undefined;
    }
  }

  #open({ bucket }: Watching, followed: Followed, event: EventObject, cause: Cause | undefined): OpenStep {
    const at = this.#clock.now();
    this.#lamport = Math.max(this.#lamport, cause?.clock ?? 0) + 1;
    const { timers } = followed;
    followed.timers = [];
    return new OpenStep(event, { at, clock: this.#lamport, cause }, timers, bucket.take(at));
  }

  #settle(watching: Watching, followed: Followed, outcome: Outcome): void {
    const { open } = followed;
    const place = this.#handling.lastIndexOf(followed);
    if (place !== -1) this.#handling.splice(place, 1);
    if (open === undefined) return;
    followed.open = undefined;
    this.#close(watching, followed, open, outcome);
  }

  #close(watching: Watching, followed: Followed, open: OpenStep, outcome: Outcome): void {
    followed.seq += 1;
    if (open.isTold) watching.tell(open.close(this.process, followed, outcome, watching.payloads));
    else this.drop();
    followed.state = outcome.to;
  }

  #sayMachine(watching: Watching, machine: AnyStateMachine): void {
    if (watching.machines.has(machine.id)) return;
    watching.machines.set(machine.id, machine);
    this.#tellMachine(watching, machine);
  }

  #tellMachine(watching: Watching, machine: AnyStateMachine): void {
    watching.tell({ kind: 'machine', machine: machine.id, document: documentOf(machine) });
  }

  // ---- present ----

  #present(watching: Watching): void {
    const now = this.#clock.now();
    const actors: ActorNow[] = [];
    for (const source of this.#sources)
      for (const live of source.living()) actors.push(this.#actorNow(watching, live));
    for (const sampled of this.#sampled) actors.push(...sampled.living());
    for (const message of presents(this.process, now, actors)) watching.tell(message);
  }

  #actorNow(watching: Watching, live: LiveActor): ActorNow {
    const { id: actor, machine, parentId: parent, since } = live;
    this.#sayMachine(watching, machine);
    const snapshot = live.snapshot();
    const state = snapshot.value as StateValue;
    let followed = watching.followed.get(actor);
    if (followed === undefined) {
      followed = follow({ actor, machine: machine.id, parent }, 0);
      watching.followed.set(actor, followed);
    }
    // In the middle of an event it still is where it was: the step tells the rest.
    if (followed.open === undefined) followed.state = state;
    const timers = live.timers();
    return {
      actor,
      machine: machine.id,
      ...(parent === undefined ? {} : { parent }),
      seq: followed.seq,
      since,
      state: followed.state ?? state,
      ...(watching.contexts ? { context: redact(snapshot.context, watching.payloads) } : {}),
      ...(timers.length === 0 ? {} : { timers: [...timers] }),
    };
  }

  #heal(): void {
    this.#healTimer = undefined;
    const watching = this.#watching;
    if (watching === undefined) return;
    const startedAt = this.#clock.now();
    watching.tell({ kind: 'dropped', process: this.process, steps: this.#dropped, at: startedAt });
    this.#dropped = 0;
    this.#present(watching);
    this.#healMs = Math.max(HEAL_MS, (this.#clock.now() - startedAt) / HEAL_SHARE);
  }
}

function follow(who: Pick<Followed, 'actor' | 'machine' | 'parent'>, seq: number): Followed {
  return { ...who, seq, state: null, open: undefined, timers: [] };
}

/** A machine of somebody's that cannot be written down is at least named. */
function documentOf(machine: AnyStateMachine): { id: string } {
  try {
    return toDocument(machine).document;
  } catch {
    return { id: machine.id };
  }
}
