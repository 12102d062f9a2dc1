// What of an actor is drawn into its machine's chart.
// Invariant: a count is that of all events that were seen to lead along an arrow, whichever of its lines was meant.
import type { Step } from '../../src/protocol/inspection.ts';
import type { ActorView } from '../stream/model.ts';
import { activeIn, activeOnPath, litBy } from './active.ts';
import type { Shown } from './shown.ts';
import type { Statechart } from './statechart.ts';

/** Sorted out once for each key: an actor takes few different transitions, and each of them often. */
type Seen = Map<string, readonly string[]>;
const seenIn = new WeakMap<Statechart, Seen>();

function arrowsOf(chart: Statechart, key: string): readonly string[] {
  const seen = seenIn.get(chart) ?? new Map<string, readonly string[]>();
  seenIn.set(chart, seen);
  const known = seen.get(key);
  if (known !== undefined) return known;
  const [from = '', event = '', to = ''] = key.split('\n');
  const way = { event: eventType(event), before: activeOnPath(chart, from), after: activeOnPath(chart, to) };
  const arrows = from === '' ? [] : [...litBy(chart, way).arrows];
  seen.set(key, arrows);
  return arrows;
}

/** The checker says events in words: `socket.closed { epoch: 1 }`, `the end of backoffDelay.connection.backoff`. */
function eventType(said: string): string {
  if (said.startsWith('the end of ')) return `xstate.after.${said.slice('the end of '.length)}`;
  return said.endsWith(' }') ? said.slice(0, Math.max(0, said.indexOf(' { '))) : said;
}

export function litByStep(chart: Statechart, { event, from, to, via = [], effects }: Step): Shown['lit'] {
  if (from === null || to === null) return undefined;
  const stations = [from, ...via, to].map(activeIn);
  const [arrows, lines] = [new Set<string>(), new Set<string>()];
  stations.slice(1).forEach((after, i) => {
    const way = {
      // A microstep that is not the first takes what needs no event.
      event: i === 0 ? eventType(event.type) : '',
      before: stations[i] ?? after,
      after,
      effects: effects?.map(({ name }) => name),
    };
    const lit = litBy(chart, way);
    for (const id of lit.arrows) arrows.add(id);
    for (const id of lit.lines) lines.add(id);
  });
  return { arrows, lines };
}

export function shownOfActor(chart: Statechart, actor: ActorView, now: () => number): Shown {
  const counts = new Map<string, number>();
  for (const [key, count] of actor.taken)
    for (const arrow of arrowsOf(chart, key)) counts.set(arrow, (counts.get(arrow) ?? 0) + count);
  const active = activeIn(actor.state);
  const { last } = actor;
  return {
    active,
    lit: last === undefined ? undefined : litByStep(chart, last),
    flash: String(last?.seq ?? 0),
    counts,
    timers: new Map(
      actor.timers.map(({ id, name, delayMs, startedAt }) => [
        delayIdOf(chart, active, id, name),
        { delayMs, startedAt, now },
      ]),
    ),
  };
}

/** Others name their timers as they like: then the active box with a delay of that name is meant. */
function delayIdOf({ boxes }: Statechart, active: ReadonlySet<string>, id: string, name: string): string {
  const running = [...active].flatMap((box) => boxes.get(box)?.delays ?? []);
  return (running.find((delay) => delay.id === id) ?? running.find((delay) => delay.name === name))?.id ?? id;
}
