// The latest steps that were told, up to the moment that is shown: of one actor, and of a counterexample.
// Invariant: in the order of their time; pure.
import type { MachineDocument } from '../../src/inspect/document.ts';
import type { Step } from '../../src/protocol/inspection.ts';
import type { ActorView } from '../stream/model.ts';
import type { ViewProps } from '../view.ts';
import { knownChart } from './known-chart.ts';

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

/**
 * Of all that happened in one step of a counterexample, what one wants to see: something that went from one state to
 * another, and rather a machine of ours than a channel, whose state is a text.
 */
export function mostTelling({ watch, model }: ViewProps, { at, process }: Step): Step | undefined {
  const rank = ({ from, to, machine }: Step): number => {
    const text = JSON.stringify(to);
    const moved = JSON.stringify(from) === text ? 0 : 1;
    const known = model.machines.get(machine);
    const seen = (known?.documents.get(process) ?? known?.document) as unknown as MachineDocument | undefined;
    const ours = seen !== undefined && knownChart(seen) !== seen ? 4 : 0;
    return ours + moved + (/[[(]/.test(text) ? 0 : 2);
  };
  const together = onceEach(
    watch.timeline.recent.filter((step) => step.at === at && step.process === process),
  );
  return together.toSorted((a, b) => rank(b) - rank(a) || a.clock - b.clock)[0];
}

/** All actors that a step of a counterexample was about. */
export function partsIn({ watch }: ViewProps, { at, process }: Step): readonly string[] {
  const together = watch.timeline.recent.filter((step) => step.at === at && step.process === process);
  return [...new Set(together.map(({ actor }) => actor))];
}
