// What one step, or one `present`, makes of one actor.
// Invariant: pure; a step that is older than what is known adds to the past and leaves the present alone.
import { statePath } from '../../src/engine/state-path.ts';
import type { ActorNow, StateValue, Step, TimerNow } from '../../src/protocol/inspection.ts';
import { stateLabel } from './state-label.ts';
import { actorKey, transitionKey, type ActorView, type Stay } from './model.ts';

/** States of the past that an actor keeps. */
const MAX_TRAIL = 24;
/** Different transitions that are counted of one actor; a chart has fewer, a stranger's event types may be endless. */
const MAX_COUNTED = 400;
const noTimers: readonly TimerNow[] = [];
const unheard = { seq: 0, at: -Infinity } as const;

export function pathOf(state: StateValue | null): string {
  return state === null ? 'crashed' : statePath(state as Parameters<typeof statePath>[0]);
}

export function actorFrom(now: ActorNow, process: string, before: ActorView | undefined): ActorView {
  // Told again, from long ago.
  if (before !== undefined && now.seq < before.seq && now.since <= before.since) return before;
  const path = pathOf(now.state);
  const label = stateLabel(path);
  const stay: Stay = { label, at: now.since };
  const trail =
    before === undefined ? [stay] : before.label === label ? before.trail : inserted(before.trail, stay);
  return {
    key: actorKey(process, now.actor),
    process,
    actor: now.actor,
    machine: now.machine,
    parent: now.parent,
    seq: now.seq,
    heard: before?.heard ?? unheard,
    since: now.since,
    state: now.state,
    path,
    label,
    status: 'active',
    context: now.context,
    timers: now.timers ?? noTimers,
    taken: before?.taken ?? new Map(),
    trail,
    last: before?.last,
  };
}

/** Whether a step was told before: who dials an inspector again is told everything again. */
export function isKnown({ seq, at }: Step, actor: ActorView | undefined): boolean {
  // A new actor of an old name begins to count anew, later.
  return actor !== undefined && seq <= actor.heard.seq && at <= actor.heard.at;
}

export function actorAfter(step: Step, before: ActorView | undefined): ActorView {
  const from = step.from === null ? '' : pathOf(step.from);
  const path = pathOf(step.to);
  const label = stateLabel(path);
  const taken = counted(before?.taken, transitionKey(from, step.event.type, path));
  const heard = { seq: step.seq, at: step.at };
  const isNew = step.from === null && step.at >= (before?.since ?? 0);
  if (before !== undefined && step.seq <= before.seq && !isNew) {
    // It comes late: a node's steps of while it was cut off, after a `present` that says where they led.
    const trail = stateLabel(from) === label ? before.trail : inserted(before.trail, { label, at: step.at });
    return { ...before, heard, taken, trail };
  }
  const stays = before !== undefined && before.path === path;
  return {
    key: before?.key ?? actorKey(step.process, step.actor),
    process: step.process,
    actor: step.actor,
    machine: step.machine,
    parent: step.parent ?? before?.parent,
    seq: step.seq,
    heard,
    since: stays ? before.since : step.at,
    state: step.to,
    path,
    label,
    status: step.status ?? 'active',
    context: step.context ?? before?.context,
    timers: timersAfter(step, before?.timers ?? noTimers),
    taken,
    trail:
      before !== undefined && before.label === label
        ? before.trail
        : inserted(before?.trail ?? [], { label, at: step.at }),
    last: step,
  };
}

function timersAfter(step: Step, before: readonly TimerNow[]): readonly TimerNow[] {
  if (step.status !== undefined) return noTimers;
  if (step.timers === undefined) return before;
  let timers = [...before];
  for (const change of step.timers) {
    const id = 'cleared' in change ? change.cleared : change.id;
    timers = timers.filter((timer) => timer.id !== id);
    if (!('cleared' in change)) timers.push({ ...change, startedAt: step.at });
  }
  return timers;
}

function counted(taken: ReadonlyMap<string, number> | undefined, key: string): ReadonlyMap<string, number> {
  const count = taken?.get(key);
  if (taken !== undefined && count === undefined && taken.size >= MAX_COUNTED) return taken;
  return new Map(taken).set(key, (count ?? 0) + 1);
}

/** The trail with one stay more, in the order of time. */
function inserted(trail: readonly Stay[], stay: Stay): readonly Stay[] {
  let place = trail.length;
  while (place > 0 && (trail[place - 1]?.at ?? 0) > stay.at) place -= 1;
  // A `present` and the step that it overtook tell of the same stay.
  const same = trail[place - 1];
  if (same !== undefined && same.at === stay.at && same.label === stay.label) return trail;
  const longer = [...trail.slice(0, place), stay, ...trail.slice(place)];
  return longer.length > MAX_TRAIL ? longer.slice(-MAX_TRAIL) : longer;
}
