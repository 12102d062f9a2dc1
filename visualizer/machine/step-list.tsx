// Steps, the latest first: when, what came, and where it led.
// Invariant: texts of the stream are shown as text.
import { eventInWords } from '../../src/engine/possible.ts';
import { statePath } from '../../src/engine/state-path.ts';
import type { Step } from '../../src/protocol/inspection.ts';

export interface StepListProps {
  readonly steps: readonly Step[];
  readonly at: 'live' | number;
  readonly onGo: (at: number) => void;
}

export const stateIn = (value: Step['to']): string =>
  value === null ? 'crashed' : statePath(value as Parameters<typeof statePath>[0]);

export function StepList({ steps, at, onGo }: StepListProps) {
  if (steps.length === 0) return <p className="soft">None was seen yet.</p>;
  const latest = steps.at(-1)?.at ?? 0;
  return (
    <ol className="plain steps">
      {steps.toReversed().map((step) => (
        <li key={step.seq} className={at === step.at ? 'step now' : 'step'}>
          <button type="button" className="step-link" onClick={() => onGo(step.at)}>
            <span className="step-event">{eventInWords(step.event.type)}</span>
            <span className="soft step-time">{timeBefore(latest - step.at)}</span>
          </button>
          <div className={step.from !== null && stateIn(step.from) === stateIn(step.to) ? 'soft' : ''}>
            → {stateIn(step.to)}
          </div>
          {step.unexpected === true && <div className="fault">unexpected: no state handles it</div>}
          {step.error !== undefined && <div className="fault">{step.error}</div>}
          {step.effects !== undefined && (
            <div className="soft effect">{step.effects.map(({ name }) => name).join(', ')}</div>
          )}
        </li>
      ))}
    </ol>
  );
}

function timeBefore(ms: number): string {
  if (ms <= 0) return 'last';
  return ms < 1_000 ? `−${Math.round(ms)} ms` : `−${(ms / 1_000).toFixed(1)} s`;
}
