// Steps of many processes in one order: none before the step that led to it, otherwise by time.
// Invariant: the order depends on the steps alone, not on when they came; a step is in it once.
//
// Clocks of processes differ a little, and a step may be told before its cause. So each step gets a place in time that is not
// before its cause's, nor before its actor's latest; among equal places the Lamport clock decides (Lamport 1978): a cause's
// is always smaller.
import type { Step } from '../../src/protocol/inspection.ts';
import { actorKey, type ActorKey } from './model.ts';

export interface Placed {
  readonly step: Step;
  /** Of the actor that took it. */
  readonly actor: ActorKey;
  /** Names the step: process, actor and clock. */
  readonly key: string;
  /** The step that led to it, if that is known and kept. */
  readonly cause: Placed | undefined;
}

interface Place extends Placed {
  cause: Place | undefined;
  /** Milliseconds of the stream's clock: its own moment, or its cause's. */
  moment: number;
  /** The actor's step before this one. */
  before: Place | undefined;
  /** Steps that may have to move when this one does. */
  readonly after: Place[];
}

export function stepKey(process: string, actor: string, clock: number): string {
  return `${actorKey(process, actor)} ${clock}`;
}

export class CausalOrder {
  readonly #most: number;
  readonly #known = new Map<string, Place>();
  /** Of each actor, the latest by its clock. */
  readonly #latest = new Map<ActorKey, Place>();
  /** Steps whose cause has not come yet, by its key. */
  readonly #waiting = new Map<string, Place[]>();
  #order: Place[] = [];
  /** Steps that were dropped to make room. */
  dropped = 0;

  /** Keeps the latest `most` steps. */
  constructor(most: number) {
    this.#most = most;
  }

  /** All steps, in order. Another list after each change. */
  get steps(): readonly Placed[] {
    return this.#order;
  }

  has(step: Step): boolean {
    return this.#known.has(stepKey(step.process, step.actor, step.clock));
  }

  /** Those that are there already are passed over. */
  add(steps: readonly Step[]): void {
    const moved = new Set<Place>();
    const fresh: Place[] = [];
    // In the order of clocks causes come first, and few places move twice.
    for (const step of steps.toSorted((a, b) => a.clock - b.clock)) {
      const place = this.#place(step);
      if (place === undefined) continue;
      fresh.push(place);
      this.#settle(place, moved);
    }
    for (const place of fresh) moved.delete(place);
    this.#order = merged(this.#order, moved, fresh);
    if (this.#order.length > this.#most) this.#drop(this.#order.length - this.#most);
  }

  #place(step: Step): Place | undefined {
    const { process, actor, clock, cause, at } = step;
    const key = stepKey(process, actor, clock);
    if (this.#known.has(key)) return undefined;
    const place: Place = {
      step,
      actor: actorKey(process, actor),
      key,
      cause: undefined,
      moment: at,
      before: undefined,
      after: [],
    };
    this.#known.set(key, place);
    this.#chain(place);
    if (cause?.actor !== undefined && cause.clock < clock) {
      const causeKey = stepKey(cause.process, cause.actor, cause.clock);
      const found = this.#known.get(causeKey);
      if (found === undefined) this.#waiting.set(causeKey, [...(this.#waiting.get(causeKey) ?? []), place]);
      else link(found, place);
    }
    for (const effect of this.#waiting.get(key) ?? []) link(place, effect);
    this.#waiting.delete(key);
    return place;
  }

  /** Puts it between its actor's steps; one that comes late goes back behind its elders. */
  #chain(place: Place): void {
    const latest = this.#latest.get(place.actor);
    if (latest === undefined || latest.step.clock < place.step.clock) {
      follow(latest, place);
      this.#latest.set(place.actor, place);
      return;
    }
    let younger = latest;
    while (younger.before !== undefined && younger.before.step.clock > place.step.clock)
      younger = younger.before;
    follow(younger.before, place);
    follow(place, younger);
  }

  /** Moves the step, and what follows from it, to where they may be. */
  #settle(start: Place, moved: Set<Place>): void {
    const open = [start];
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      const { cause, before, step } = place;
      const moment = Math.max(step.at, cause?.moment ?? step.at, before?.moment ?? step.at);
      if (moment !== place.moment) moved.add(place);
      place.moment = moment;
      for (const after of place.after) if (after.moment < moment) open.push(after);
    }
  }

  #drop(count: number): void {
    for (const place of this.#order.slice(0, count)) {
      this.#known.delete(place.key);
      if (this.#latest.get(place.actor) === place) this.#latest.delete(place.actor);
      for (const after of place.after) {
        if (after.cause === place) after.cause = undefined;
        if (after.before === place) after.before = undefined;
      }
    }
    // Causes that never came are not waited for when nobody waits.
    for (const [key, places] of this.#waiting)
      if (places.every((place) => !this.#known.has(place.key))) this.#waiting.delete(key);
    this.#order = this.#order.slice(count);
    this.dropped += count;
  }
}

function link(cause: Place, effect: Place): void {
  effect.cause = cause;
  cause.after.push(effect);
}

function follow(before: Place | undefined, place: Place): void {
  place.before = before;
  before?.after.push(place);
}

function compare(a: Place, b: Place): number {
  return a.moment - b.moment || a.step.clock - b.step.clock || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
}

/** `order` without those that moved, and with them and the fresh ones where they belong: only its end is sorted. */
function merged(order: readonly Place[], moved: ReadonlySet<Place>, fresh: readonly Place[]): Place[] {
  const coming = [...moved, ...fresh].toSorted(compare);
  const [first] = coming;
  if (first === undefined) return [...order];
  // A place that moved went to the right: it is sought from where it was at the earliest.
  let end = order.length;
  let sought = moved.size;
  while (end > 0) {
    const place = order[end - 1];
    if (place === undefined) break;
    if (moved.has(place)) sought -= 1;
    else if (sought === 0 && compare(place, first) < 0) break;
    end -= 1;
  }
  const tail = order.slice(end).filter((place) => !moved.has(place));
  const result = order.slice(0, end);
  let next = 0;
  for (const place of tail) {
    for (let one = coming[next]; one !== undefined && compare(one, place) < 0; one = coming[next]) {
      result.push(one);
      next += 1;
    }
    result.push(place);
  }
  for (; next < coming.length; next += 1) {
    const one = coming[next];
    if (one !== undefined) result.push(one);
  }
  return result;
}
