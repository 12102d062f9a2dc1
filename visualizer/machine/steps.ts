// The latest steps that were told, up to the moment that is shown: of one actor, and of a counterexample.
// Invariant: in the order of their time; pure.
import type { Step } from '../../src/protocol/inspection.ts';
import type { ActorView } from '../stream/model.ts';
import type { ViewProps } from '../view.ts';

const SHOWN = 40;

/** The latest steps of an actor, the last one last. */
export function stepsOf({ watch }: ViewProps, { process, actor, seq }: ActorView): readonly Step[] {
  const own = watch.timeline.recent.filter(
    (step) => step.actor === actor && step.process === process && step.seq <= seq,
  );
  return onceEach(own)
    .toSorted((a, b) => a.seq - b.seq)
    .slice(-SHOWN);
}

/** The steps of a counterexample: those that say in words what they are. */
export function storyOf({ watch }: ViewProps): readonly Step[] {
  const told = watch.timeline.recent.filter(({ words }) => words !== undefined);
  return onceEach(told).toSorted((a, b) => a.at - b.at || a.clock - b.clock);
}

/** A stream that began again may tell a step a second time. */
function onceEach(steps: readonly Step[]): Step[] {
  return [...new Map(steps.map((step) => [`${step.process} ${step.actor} ${step.seq}`, step])).values()];
}
