// The step that is selected, whole: its event, its cause, what it did, and the way to its machine.
// Invariant: whatever a step holds is shown as text.
import type { ReactNode } from 'react';
import { eventInWords } from '../../src/engine/possible.ts';
import type { StateValue } from '../../src/protocol/inspection.ts';
import { toneOf } from '../parts/tone.ts';
import { pathOf } from '../stream/actors.ts';
import type { Placed } from '../stream/causal-order.ts';
import { stateInWords } from '../stream/lifelines.ts';

export interface StepDetailProps {
  readonly placed: Placed;
  readonly time: string;
  onCause(cause: Placed): void;
  onMoment(placed: Placed): void;
  onOpen(placed: Placed): void;
  onClose(): void;
}

export function StepDetail({ placed, time, onCause, onMoment, onOpen, onClose }: StepDetailProps) {
  const { step, cause } = placed;
  const { type, ...payload } = step.event;
  return (
    <aside className="detail" aria-label="Selected step">
      <header className="detail-head">
        <h2 title={type}>{eventInWords(type)}</h2>
        <button type="button" className="quiet" aria-label="Close" onClick={onClose}>
          ✕
        </button>
      </header>
      {step.words !== undefined && <p>{step.words}</p>}
      <p className="detail-states">
        {step.from === null ? (
          <span className="soft">begins in</span>
        ) : (
          <State from={step.to} to={step.from} />
        )}
        {step.from !== null && <span aria-label="to">→</span>}
        <State from={step.from} to={step.to} />
      </p>
      <div className="detail-acts">
        <button type="button" className="primary" onClick={() => onOpen(placed)}>
          Show in its machine
        </button>
        <button type="button" onClick={() => onMoment(placed)}>
          Go to this moment
        </button>
      </div>
      <dl className="detail-facts">
        <Fact name="Actor">{step.actor}</Fact>
        <Fact name="Process">{step.process}</Fact>
        <Fact name="Machine">{step.machine}</Fact>
        <Fact name="Time">{time}</Fact>
        <Fact name="Step">
          {step.seq}, clock {step.clock}
        </Fact>
        <Fact name="Cause">
          {cause === undefined ? (
            (step.cause?.actor ?? step.cause?.process ?? 'from outside, or a timer')
          ) : (
            <button type="button" className="quiet link-like" onClick={() => onCause(cause)}>
              {cause.step.event.type} in {cause.step.actor}
            </button>
          )}
        </Fact>
        {step.status !== undefined && <Fact name="Ended">{step.status}</Fact>}
        {step.error !== undefined && <Fact name="Error">{step.error}</Fact>}
        {step.unexpected === true && (
          <Fact name="Unexpected">no state handles this event, and none ignores it</Fact>
        )}
      </dl>
      <Json title="Event" value={payload} />
      <Json title="Effects" value={step.effects ?? []} />
      <Json title="Timers" value={step.timers ?? []} />
      <Json title="Context" value={step.context ?? {}} />
    </aside>
  );
}

/** By what is different in the other one. */
function State({ from, to }: { readonly from: StateValue | null; readonly to: StateValue | null }) {
  return (
    <span className={`badge tone-${toneOf(pathOf(to))}`} title={pathOf(to)}>
      {stateInWords(from, to)}
    </span>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Nothing at all when there is nothing in it. */
function Json({ title, value }: { readonly title: string; readonly value: unknown }) {
  const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  if (isEmpty) return null;
  return (
    <section className="detail-json">
      <h3>{title}</h3>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls must be reachable by the keyboard */}
      <pre tabIndex={0}>{JSON.stringify(value, null, 2)}</pre>
    </section>
  );
}
