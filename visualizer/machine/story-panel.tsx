// A counterexample in the checker's words: all its steps, the one that is shown, and the way on and back.
// Invariant: each step opens the actor that it happened to, at the moment that it happened.
import type { Step } from '../../src/protocol/inspection.ts';
import type { ActorView } from '../stream/model.ts';
import { actorPlace, hashOf, type ViewProps } from '../view.ts';
import { mostTelling, partsIn, storyOf } from './steps.ts';

export function StoryPanel({ actor, ...props }: ViewProps & { readonly actor: ActorView }) {
  const { at, go } = props;
  const story = storyOf(props);
  if (story.length === 0) return null;
  const now = at === 'live' ? story.length - 1 : story.findLastIndex((step) => step.at <= at);
  const open = (step: Step): void => {
    const shown = mostTelling(props, step) ?? step;
    go({ ...actorPlace(shown.process, shown.actor), at: step.at });
  };
  const turn = (by: number): void => {
    const step = story[now + by];
    if (step !== undefined) open(step);
  };
  return (
    <section aria-label="Counterexample">
      <h2>Counterexample</h2>
      <div className="story-turns">
        <button type="button" disabled={now <= 0} onClick={() => turn(-1)}>
          Back
        </button>
        <span aria-live="polite">
          step {now + 1} of {story.length}
        </span>
        <button type="button" disabled={now >= story.length - 1} onClick={() => turn(1)}>
          Next
        </button>
      </div>
      <ol className="plain story">
        {story.map((step, i) => (
          <li key={`${step.process} ${step.actor} ${step.seq}`} className={i === now ? 'step now' : 'step'}>
            <button
              type="button"
              className="step-link"
              aria-current={i === now ? 'step' : undefined}
              onClick={() => open(step)}
            >
              <span>{step.words}</span>
            </button>
            {i === now && <Concerned {...props} step={step} actor={actor} />}
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Who else the step was about: a link to each. */
function Concerned({
  step,
  actor,
  ...props
}: ViewProps & { readonly step: Step; readonly actor: ActorView }) {
  return (
    <div className="soft concerned">
      {partsIn(props, step).map((part) =>
        part === actor.actor ? (
          <span key={part}>{part}</span>
        ) : (
          <a key={part} href={hashOf({ ...actorPlace(step.process, part), at: step.at })}>
            {part}
          </a>
        ),
      )}
    </div>
  );
}
