// Our inspection stream as the messages of `@statelyai/inspect`, so that Stately's inspector shows our actors.
// Invariant: an actor is registered before anything else is said of it; nothing leaves but through `send`.
import type { ActorNow, MachineSaid, Present, Step, Told } from '../protocol/inspection.ts';
import {
  STATELY_VERSION,
  type StatelyActor,
  type StatelyEvent,
  type StatelySnapshot,
} from './stately-event.ts';

export interface StatelyFeedOptions {
  /** `inspector.adapter.send` of the package's inspectors, or anything else that takes its messages. */
  send(event: StatelyEvent): void;
  /** Milliseconds since 1970: the package dates its messages so. */
  wallNow(): number;
  /** Which actors are told of: Stately's page draws every one. @default all */
  only?(actor: { readonly process: string; readonly actor: string; readonly machine: string }): boolean;
}

export interface StatelyFeed {
  /** One message of the stream, in order. Steps of actors that were told of neither by a step nor by a `present` are passed over. */
  take(message: Told): void;
}

interface Shown {
  readonly process: string;
  readonly sessionId: string;
  readonly rootId: string;
  seq: number;
  now: StatelySnapshot;
}

type Who = Pick<ActorNow, 'actor' | 'machine' | 'parent'> & { readonly process: string };

export function createStatelyFeed(options: StatelyFeedOptions): StatelyFeed {
  const feed = new Feed(options);
  return { take: (message) => feed.take(message) };
}

class Feed {
  readonly #options: StatelyFeedOptions;
  readonly #definitions = new Map<string, string>();
  readonly #shown = new Map<string, Shown>();
  /** Of a `present` that comes in parts, who was in those that came. */
  readonly #arriving = new Map<string, Set<string>>();

  constructor(options: StatelyFeedOptions) {
    this.#options = options;
  }

  take(message: Told): void {
    switch (message.kind) {
      case 'machine':
        return this.#define(message);
      case 'present':
        return this.#present(message);
      case 'step':
        return this.#step(message);
      case 'process':
        return message.state === 'gone' ? this.#end(message.process, () => true) : undefined;
      case 'hello':
      case 'dropped':
      case 'sampled':
      case 'fleet':
      case 'answer':
        return undefined; // Stately's page knows actors, and no fleets
    }
  }

  #define({ machine, process = '', document }: MachineSaid): void {
    this.#definitions.set(idOf(process, machine), JSON.stringify(document));
  }

  /** All that live: those that are not there any more ended while nothing was told of them. */
  #present({ process, actors, more }: Present): void {
    const there = this.#arriving.get(process) ?? new Set();
    for (const one of actors) {
      const sessionId = idOf(process, one.actor);
      there.add(sessionId);
      const shown = this.#shown.get(sessionId);
      const now = snapshotOf(one.state, one.context);
      if (shown === undefined) this.#register({ process, ...one }, one.seq, now);
      else if (shown.seq < one.seq) this.#change(shown, one.seq, { type: 'holdfast.present' }, now);
    }
    this.#arriving.delete(process);
    if (more === true) this.#arriving.set(process, there);
    else this.#end(process, (sessionId) => !there.has(sessionId));
  }

  #step(step: Step): void {
    const { process, actor, seq, event, from, to, context, status, error, cause } = step;
    if (to === null) return;
    const now = snapshotOf(to, context, status, error);
    let shown = this.#shown.get(idOf(process, actor));
    if (shown !== undefined && seq <= shown.seq) return;
    if (shown === undefined || from === null) shown = this.#register(step, seq - 1, now);
    if (shown === undefined) return;
    const sourceId = cause?.actor === undefined ? undefined : idOf(cause.process, cause.actor);
    const source = sourceId !== undefined && this.#shown.has(sourceId) ? { sourceId } : {};
    this.#send({ type: '@xstate.event', ...this.#head(shown), ...source, event });
    this.#change(shown, seq, event, now);
    if (status !== undefined) this.#shown.delete(shown.sessionId);
  }

  #end(process: string, isEnded: (sessionId: string) => boolean): void {
    for (const shown of [...this.#shown.values()]) {
      if (shown.process !== process || !isEnded(shown.sessionId)) continue;
      this.#change(shown, shown.seq + 1, { type: 'xstate.stop' }, { ...shown.now, status: 'stopped' });
      this.#shown.delete(shown.sessionId);
    }
  }

  #register(who: Who, seq: number, snapshot: StatelySnapshot): Shown | undefined {
    const { process, actor, machine, parent } = who;
    if (this.#options.only?.({ process, actor, machine }) === false) return undefined;
    const sessionId = idOf(process, actor);
    const above = parent === undefined ? undefined : this.#shown.get(idOf(process, parent));
    const shown = { process, sessionId, rootId: above?.rootId ?? sessionId, seq, now: snapshot };
    this.#shown.set(sessionId, shown);
    const definition =
      this.#definitions.get(idOf(process, machine)) ?? this.#definitions.get(idOf('', machine));
    const message: StatelyActor = {
      type: '@xstate.actor',
      ...this.#head(shown),
      name: `${actor} of ${process}`,
      // As the package says it of an actor that has no config.
      definition: definition ?? JSON.stringify({ id: machine }),
      ...(above === undefined ? {} : { parentId: above.sessionId }),
      snapshot,
    };
    this.#send(message);
    return shown;
  }

  #change(shown: Shown, seq: number, event: Step['event'], snapshot: StatelySnapshot): void {
    shown.seq = seq;
    shown.now = snapshot;
    this.#send({ type: '@xstate.snapshot', ...this.#head(shown), event, snapshot });
  }

  #head({ sessionId, rootId }: Shown) {
    const createdAt = String(Math.round(this.#options.wallNow()));
    return { sessionId, rootId, createdAt, id: null, _version: STATELY_VERSION };
  }

  #send(event: StatelyEvent): void {
    this.#options.send(event);
  }
}

/** Session ids of the package are unique in one process; ours have to be in a fleet. */
function idOf(process: string, name: string): string {
  return `${process}/${name}`;
}

/** As XState's `toJSON` leaves a machine's snapshot. */
function snapshotOf(
  value: unknown,
  context: unknown,
  status: string = 'active',
  error?: string,
): StatelySnapshot {
  const rest = { children: {}, historyValue: {}, tags: [], ...(error === undefined ? {} : { error }) };
  return { status, value, context: context ?? {}, ...rest };
}
