// The latest steps that were told, up to the moment that is shown: of one actor, and of a counterexample.
// Invariant: in the order of their time; pure.
import type { Step } from '../../src/protocol/inspection.ts';
import type { ActorView } from '../stream/model.ts';
import type { ViewProps } from '../view.ts';

const SHOWN = 40;

function told({ model }: ViewProps): readonly Step[] {
  return [...model.actors.values()].flatMap(({ last }) => (last === undefined ? [] : [last]));
}

/** The latest steps of an actor, the last one last. */
export function stepsOf(props: ViewProps, { process, actor, seq }: ActorView): readonly Step[] {
  return told(props)
    .filter((step) => step.actor === actor && step.process === process && step.seq <= seq)
    .slice(-SHOWN);
}

/** The steps of a counterexample: those that say in words what they are. */
export function storyOf(props: ViewProps): readonly Step[] {
  return told(props)
    .filter(({ words }) => words !== undefined)
    .toSorted((a, b) => a.at - b.at || a.clock - b.clock);
}
