// What of a walk is drawn into its machine's chart.
// Invariant: pure; the delays of a simulation stand still between its moves.
import { activeIn, litBy } from '../machine/active.ts';
import type { Shown } from '../machine/shown.ts';
import type { Statechart } from '../machine/statechart.ts';
import type { Moment } from './simulation.ts';

type StateValue = Parameters<typeof activeIn>[0];

export function shownOf(chart: Statechart, moments: readonly Moment[]): Shown {
  const counts = new Map<string, number>();
  const now = moments.at(-1);
  let [arrows, lines] = [new Set<string>(), new Set<string>()];
  for (const moment of moments) {
    if (moment === now) [arrows, lines] = [new Set(), new Set()];
    const effects = moment.effects.map(({ type }) => type);
    for (const { event, from, to } of moment.took) {
      const way = {
        event: event.type,
        before: activeIn(from as StateValue),
        after: activeIn(to as StateValue),
        effects,
      };
      const lit = litBy(chart, way);
      for (const id of lit.arrows) counts.set(id, (counts.get(id) ?? 0) + 1);
      for (const id of lit.arrows) arrows.add(id);
      for (const id of lit.lines) lines.add(id);
    }
  }
  const running = now?.running ?? [];
  return {
    active: activeIn(now?.snapshot.value as StateValue),
    lit: { arrows, lines },
    flash: String(moments.length),
    counts,
    timers: new Map(
      running.map(({ id, startedMs, delayMs }) => [
        id,
        { startedAt: startedMs, delayMs, now: () => now?.nowMs ?? 0 },
      ]),
    ),
  };
}
